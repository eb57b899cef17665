// The formats of cachefiles' shared tracepoints.
#include "kernelmodel/cachefiles/trace.h"

#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

void trace_error(Kernel& k, const char* event, ObjectHandle object, InodeNumber inode, int error,
                 const char* where) {
  if (!k.trace.enabled()) return;
  trace_emit(k, event, "o=%08x B=%x %s e=%d", object ? object->debug_id : 0,
             static_cast<unsigned>(inode), where, error);
}

}  // namespace

void trace_cachefiles_vfs_error(Kernel& k, ObjectHandle object, InodeNumber inode, int error,
                                const char* where) {
  trace_error(k, "cachefiles_vfs_error", object, inode, error, where);
}

void trace_cachefiles_io_error(Kernel& k, ObjectHandle object, InodeNumber inode, int error,
                               const char* where) {
  trace_error(k, "cachefiles_io_error", object, inode, error, where);
}

void trace_cachefiles_trunc(Kernel& k, ObjectHandle object, InodeNumber inode, uint64_t from,
                            uint64_t to, const char* why) {
  if (!k.trace.enabled()) return;
  trace_emit(k, "cachefiles_trunc", "o=%08x B=%x %s l=%llx->%llx", object->debug_id,
             static_cast<unsigned>(inode), why, static_cast<unsigned long long>(from),
             static_cast<unsigned long long>(to));
}

}  // namespace coldread
