// cachefiles' tracepoints that several files emit: include/trace/events/cachefiles.h by name,
// fields and format. Free while tracing is off. Callable wherever a task runs; nothing is kept.
#pragma once

#include "kernelmodel/cachefiles/internal.h"

namespace coldread {

// `error`: the negative errno; `where`: the failed operation's name; `object` may be null.
void trace_cachefiles_vfs_error(Kernel& k, ObjectHandle object, InodeNumber inode, int error,
                                const char* where);
void trace_cachefiles_io_error(Kernel& k, ObjectHandle object, InodeNumber inode, int error,
                               const char* where);
// From and to a size in bytes; here `object` must not be null.
void trace_cachefiles_trunc(Kernel& k, ObjectHandle object, InodeNumber inode, uint64_t from,
                            uint64_t to, const char* why);

}  // namespace coldread
