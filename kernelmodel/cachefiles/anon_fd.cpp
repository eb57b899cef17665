// The anonymous fd that comes with an OPEN: the daemon writes the object's data through it, and
// answers READ requests with its ioctl.
//
// Models cachefiles_ondemand_fd_fops of fs/cachefiles/ondemand.c.
#include <cerrno>
#include <cstdio>

#include "kernelmodel/cachefiles/ondemand.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

ObjectHandle object_of(FileHandle file) {
  return file->get_private<cachefiles_object>();
}

// Before failover_reopen_on_read its READs failed, before narrow_flush_on_fd_release those of all
// objects.
void fail_reads(Kernel& k, CachefilesHandle cache, int object_id) {
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  for (cachefiles_req* raw = cursor.find(UINT64_MAX); raw != nullptr;
       raw = cursor.next(UINT64_MAX)) {
    const ReqHandle req = req_handle(raw);
    const bool is_its = req->msg.object_id == static_cast<uint32_t>(object_id) ||
                        !k.profile.has(Change::narrow_flush_on_fd_release);
    if (!is_its || req->msg.opcode != CACHEFILES_OP_READ) continue;
    req->error = -EIO;
    cachefiles_complete_req(k, req);
    cursor.store(nullptr);
  }
}

// Requests of the object that only its fd could answer are answered now: an unread CLOSE.
void finish_closes(Kernel& k, CachefilesHandle cache, int object_id) {
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  for (cachefiles_req* raw = cursor.find(UINT64_MAX, CACHEFILES_REQ_NEW); raw != nullptr;
       raw = cursor.next(UINT64_MAX, CACHEFILES_REQ_NEW)) {
    const ReqHandle req = req_handle(raw);
    if (req->msg.object_id != static_cast<uint32_t>(object_id) ||
        req->msg.opcode != CACHEFILES_OP_CLOSE) {
      continue;
    }
    cursor.store(nullptr);
    cachefiles_complete_req(k, req);
  }
}

int fd_release(Kernel& k, FileHandle file) {
  const ObjectHandle object = object_of(file);
  if (!object) return 0;
  const Handle<cachefiles_ondemand_info> info = object->ondemand;
  const CachefilesHandle cache = object->volume->cache;

  cache->reqs.xa_lock().lock();
  info->lock.lock();
  const int object_id = info->ondemand_id;
  info->ondemand_id = CACHEFILES_ONDEMAND_ID_CLOSED;
  cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_CLOSE);
  info->lock.unlock();
  if (k.profile.has(Change::failover_reopen_on_read)) {
    finish_closes(k, cache, object_id);
  } else {
    fail_reads(k, cache, object_id);
  }
  cache->reqs.xa_lock().unlock();

  cache->ondemand_ids.erase(static_cast<uint64_t>(object_id));
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_fd_release", "o=%08x oid=%x", object->debug_id,
               static_cast<unsigned>(object_id));
  }
  cachefiles_put_object(k, object, ondemand_fd_ref(k, false));
  cachefiles_put_unbind_pincount(k, cache);
  return 0;
}

// The backing file, until put_backing_file(), or 0 while there is none. Before fd_write_null_file
// without a reference.
InodeNumber get_backing_file(Kernel& k, ObjectHandle object) {
  if (!k.profile.has(Change::fd_write_null_file)) return object->file;
  object->lock.lock();
  const InodeNumber file = object->file;
  if (file != 0) k.store.get(file);
  object->lock.unlock();
  return file;
}

void put_backing_file(Kernel& k, InodeNumber backing) {
  if (k.profile.has(Change::fd_write_null_file)) k.store.put(backing);
}

// An object's file is freed when the object lets go of it, unless others hold it too.
void check_backing_file(Kernel& k, ObjectHandle object, InodeNumber backing) {
  if (k.profile.has(Change::fd_write_null_file)) return;
  k.scheduler.preemption_point(&*object);
  if (object->file == backing) return;
  k.scheduler.broken(ReportKind::use_after_free,
                     "the backing file is used through an anonymous fd after it was closed");
}

// What a write that reached the file returns and moves the position by; `ret` bytes of `asked`
// were written, and `aligned` is whole pages.
ssize_t count_written(Kernel& k, ssize_t ret, size_t asked, uint64_t aligned) {
  if (ret <= 0 || k.profile.has(Change::write_short_count)) return ret;
  // A short write went unnoticed.
  return static_cast<ssize_t>(k.profile.has(Change::fd_write_return_length) ? asked : aligned);
}

ssize_t fd_write_iter(Kernel& k, FileHandle file, UserData user, int64_t* pos) {
  const std::span<const std::byte> data = user.bytes;
  const ObjectHandle object = object_of(file);
  const InodeNumber backing = get_backing_file(k, object);
  if (backing == 0) return -ENOBUFS;

  int64_t start = *pos;
  uint64_t aligned_length = data.size();
  ssize_t ret = cachefiles_prepare_object_write(k, object, backing, &start, &aligned_length,
                                                data.size(), true);
  if (ret >= 0) {
    if (k.trace.enabled()) {
      const bool rounded = !k.profile.has(Change::fd_write_position_alignment);
      trace_emit(k, "cachefiles_ondemand_fd_write", "o=%08x iB=%x s=%llx l=%zx", object->debug_id,
                 static_cast<unsigned>(backing), static_cast<unsigned long long>(start),
                 rounded ? static_cast<size_t>(aligned_length) : data.size());
    }
    check_backing_file(k, object, backing);
    ret = count_written(k, cachefiles_write_object(k, object, backing, start, user), data.size(),
                        aligned_length);
    if (ret > 0 && k.profile.has(Change::fd_write_position_update)) *pos += ret;
  }
  put_backing_file(k, backing);
  return ret;
}

// SEEK_SET, SEEK_CUR and SEEK_END on the backing file.
int64_t move_position(Kernel& k, ObjectHandle object, InodeNumber backing, int64_t offset,
                      int whence) {
  FileAttributes attributes;
  if (const int error = k.store.getattr(backing, &attributes); error < 0) return error;
  int64_t base = 0;
  if (whence == SEEK_CUR) base = object->file_pos;
  if (whence == SEEK_END) base = static_cast<int64_t>(attributes.size);
  int64_t position = 0;
  if (__builtin_add_overflow(base, offset, &position) || position < 0 ||
      position > k.store.max_file_size()) {
    return -EINVAL;
  }
  object->file_pos = position;
  return position;
}

// Seeks in the backing file, whose position is its own and nobody else's.
int64_t fd_llseek(Kernel& k, FileHandle file, int64_t offset, int whence) {
  const ObjectHandle object = object_of(file);
  const InodeNumber backing = get_backing_file(k, object);
  if (backing == 0) return -ENOBUFS;
  const int64_t ret =
      whence == SEEK_DATA || whence == SEEK_HOLE
          ? (offset < 0 ? -ENXIO
                        : cachefiles_seek(k, object, backing, static_cast<uint64_t>(offset),
                                          whence == SEEK_DATA ? Whence::data : Whence::hole))
          : move_position(k, object, backing, offset, whence);
  put_backing_file(k, backing);
  return ret;
}

// The canary: whoever waited for the request may have freed it.
void look_again(Kernel& k, ReqHandle req) {
  k.scheduler.preemption_point(&*req);
  warn_on(k, req->msg.opcode != CACHEFILES_OP_READ, "READ_COMPLETE of another request");
}

int64_t fd_ioctl(Kernel& k, FileHandle file, uint32_t request, uint64_t id) {
  const ObjectHandle object = object_of(file);
  const CachefilesHandle cache = object->volume->cache;
  if (request != CACHEFILES_IOC_READ_COMPLETE) return -EINVAL;
  if (!cache->flags.test(CACHEFILES_ONDEMAND_MODE)) return -EOPNOTSUPP;

  cache->reqs.xa_lock().lock();
  XArray<cachefiles_req>::Cursor cursor(cache->reqs, id);
  ReqHandle req = req_handle(cursor.load());
  if (req && k.profile.has(Change::copen_cread_consistency) &&
      (req->msg.opcode != CACHEFILES_OP_READ || req->object != object)) {
    req = {};
  }
  if (req) cursor.store(nullptr);
  cache->reqs.xa_lock().unlock();
  if (!req) return -EINVAL;

  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_cread", "o=%08x mid=%x", object->debug_id,
               static_cast<unsigned>(id));
  }
  cachefiles_complete_req(k, req);
  if (k.profile.has(Change::canary)) look_again(k, req);
  return 0;
}

}  // namespace

const FileOperations cachefiles_ondemand_fd_fops = {
    .name = "[cachefiles]",
    .release = fd_release,
    .read = nullptr,
    .write = nullptr,
    .write_iter = fd_write_iter,
    .llseek = fd_llseek,
    .ioctl = fd_ioctl,
    .poll = nullptr,
    .poll_queue = nullptr,
};

}  // namespace coldread
