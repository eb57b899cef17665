// /dev/cachefiles: opening, reading, polling and closing the device, and taking commands.
//
// Models fs/cachefiles/daemon.c; what the commands do is in daemon_commands.cpp.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "kernelmodel/cachefiles/ondemand.h"
#include "kernelmodel/cachefiles/parse.h"

namespace coldread {
namespace {

CachefilesHandle cache_of(FileHandle file) {
  return file->get_private<cachefiles_cache>();
}

void daemon_unbind(Kernel& k, CachefilesHandle cache) {
  if (cache->flags.test(CACHEFILES_READY)) cachefiles_withdraw_cache(k, cache);
  cachefiles_put_directory(k, cache->graveyard);
  cachefiles_put_directory(k, cache->store);
  if (cache->mnt != 0) k.store.put(cache->mnt);
  cachefiles_put_cred(k, cache);
}

int daemon_release(Kernel& k, FileHandle file) {
  const CachefilesHandle cache = cache_of(file);
  cache->flags.set(CACHEFILES_DEAD);
  if (cachefiles_in_ondemand_mode(cache)) cachefiles_flush_reqs(k, cache);
  file->set_private(CachefilesHandle());
  cachefiles_put_unbind_pincount(k, cache);
  return 0;
}

// Classic mode: one line about space.
ssize_t read_state(Kernel& k, CachefilesHandle cache, UserBuffer buffer) {
  cachefiles_has_space(k, cache, 0, 0, cachefiles_has_space_check);
  const auto f_released = static_cast<unsigned>(cache->f_released.xchg(0));
  const uint64_t b_released = std::exchange(cache->b_released, 0);
  cache->flags.clear(CACHEFILES_STATE_CHANGED);
  char line[256];
  const int n =
      std::snprintf(line, sizeof(line),
                    "cull=%c frun=%" PRIx64 " fcull=%" PRIx64 " fstop=%" PRIx64 " brun=%" PRIx64
                    " bcull=%" PRIx64 " bstop=%" PRIx64 " freleased=%x breleased=%" PRIx64,
                    cache->flags.test(CACHEFILES_CULLING) ? '1' : '0', cache->frun, cache->fcull,
                    cache->fstop, cache->brun, cache->bcull, cache->bstop, f_released, b_released);
  const auto length = static_cast<size_t>(n);
  if (length > buffer.size) return -EMSGSIZE;
  const int error = copy_to_user(buffer, std::as_bytes(std::span(line, length)));
  return error != 0 ? error : n;
}

ssize_t daemon_read(Kernel& k, FileHandle file, UserBuffer buffer) {
  const CachefilesHandle cache = cache_of(file);
  if (!cache->flags.test(CACHEFILES_READY)) return 0;
  if (cachefiles_in_ondemand_mode(cache)) return cachefiles_ondemand_daemon_read(k, cache, buffer);
  return read_state(k, cache, buffer);
}

ssize_t daemon_write(Kernel& k, FileHandle file, UserData user) {
  const CachefilesHandle cache = cache_of(file);
  if (cache->flags.test(CACHEFILES_DEAD)) return -EIO;
  const std::span<const std::byte> data = user.bytes;
  if (data.size() > kPageSize - 1) return -EOPNOTSUPP;
  if (user.faults && !data.empty()) return -EFAULT;
  std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  if (text.find('\0') != std::string_view::npos) return -EINVAL;
  const size_t newline = text.find('\n');
  if (newline == 0) return -EINVAL;
  text = text.substr(0, newline);

  const auto blank = std::find_if(text.begin(), text.end(), kernel_isspace);
  if (blank == text.begin() && !text.empty()) return -EOPNOTSUPP;
  const std::string_view word = text.substr(0, static_cast<size_t>(blank - text.begin()));
  std::string_view args = text.substr(word.size());
  while (!args.empty() && kernel_isspace(args.front())) args.remove_prefix(1);

  for (const cachefiles_daemon_cmd& command : cachefiles_daemon_cmds()) {
    if (command.name != word) continue;
    cache->daemon_mutex.lock();
    const int ret = cache->flags.test(CACHEFILES_DEAD) ? -EIO : command.handler(k, cache, args);
    cache->daemon_mutex.unlock();
    return ret != 0 ? ret : static_cast<ssize_t>(data.size());
  }
  return -EOPNOTSUPP;
}

// Something for the daemon to read; before failover_epollin_narrowed, or to answer.
bool has_unread_request(Kernel& k, CachefilesHandle cache) {
  if (cache->reqs.empty()) return false;
  if (!k.profile.has(Change::failover_epollin_narrowed)) return true;
  const bool locked = k.profile.has(Change::poll_lock);
  if (locked) cache->reqs.xa_lock().lock();
  bool found = false;
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  for (cachefiles_req* req = cursor.find(UINT64_MAX, CACHEFILES_REQ_NEW); req != nullptr && !found;
       req = cursor.next(UINT64_MAX, CACHEFILES_REQ_NEW)) {
    const ReqHandle handle = req_handle(req);
    if (!locked) k.scheduler.preemption_point(req);
    found = !cachefiles_ondemand_is_reopening_read(handle);
  }
  if (locked) cache->reqs.xa_lock().unlock();
  return found;
}

uint32_t daemon_poll(Kernel& k, FileHandle file) {
  const CachefilesHandle cache = cache_of(file);
  uint32_t mask = 0;
  const bool readable = cachefiles_in_ondemand_mode(cache)
                            ? has_unread_request(k, cache)
                            : cache->flags.test(CACHEFILES_STATE_CHANGED);
  if (readable) mask |= POLLIN;
  if (cache->flags.test(CACHEFILES_CULLING)) mask |= POLLOUT;
  return mask;
}

WaitQueue* daemon_poll_queue(Kernel& k, FileHandle file) {
  (void)k;
  return &cache_of(file)->daemon_pollwq;
}

// noop_llseek
int64_t daemon_llseek(Kernel& k, FileHandle file, int64_t offset, int whence) {
  (void)k;
  (void)offset;
  (void)whence;
  return file->pos;
}

constexpr FileOperations cachefiles_daemon_fops = {
    .name = "/dev/cachefiles",
    .release = daemon_release,
    .read = daemon_read,
    .write = daemon_write,
    .write_iter = nullptr,
    .llseek = daemon_llseek,
    .ioctl = nullptr,
    .poll = daemon_poll,
    .poll_queue = daemon_poll_queue,
};

// xa_destroy()
template <typename T>
void destroy(XArray<T>& array) {
  array.xa_lock().lock();
  typename XArray<T>::Cursor cursor(array);
  while (cursor.find(UINT64_MAX) != nullptr) cursor.store(nullptr);
  array.xa_lock().unlock();
}

}  // namespace

int cachefiles_daemon_open(Kernel& k, uint32_t open_flags, FileHandle* out) {
  if (!k.scheduler.current()->capable) return -EPERM;
  k.scheduler.preemption_point(&k.cachefiles.open);
  if (std::exchange(k.cachefiles.open, true)) return -EBUSY;
  if (!has_memory_for(k, Allocation::cache)) {
    k.cachefiles.open = false;
    return -ENOMEM;
  }
  *out = alloc_file(k, cachefiles_daemon_fops, open_flags);
  (*out)->set_private(k.cachefiles.cache_pool.create(k));
  return 0;
}

void cachefiles_flush_reqs(Kernel& k, CachefilesHandle cache) {
  cache->reqs.xa_lock().lock();
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  for (cachefiles_req* raw = cursor.find(UINT64_MAX); raw != nullptr;
       raw = cursor.next(UINT64_MAX)) {
    const ReqHandle req = req_handle(raw);
    req->error = -EIO;
    if (k.profile.has(Change::flush_erases_requests)) cursor.store(nullptr);
    cachefiles_complete_req(k, req);
  }
  cache->reqs.xa_lock().unlock();
  if (!k.profile.has(Change::flush_erases_requests)) destroy(cache->reqs);

  destroy(cache->ondemand_ids);
}

void cachefiles_get_unbind_pincount(CachefilesHandle cache) {
  cache->unbind_pincount.get();
}

void cachefiles_put_unbind_pincount(Kernel& k, CachefilesHandle cache) {
  if (!cache->unbind_pincount.put()) return;
  daemon_unbind(k, cache);
  k.scheduler.preemption_point(&k.cachefiles.open);
  k.cachefiles.open = false;
  k.cachefiles.cache_pool.destroy(cache);
}

}  // namespace coldread
