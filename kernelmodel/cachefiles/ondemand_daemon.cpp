// The daemon's half of the request queue: reading messages, answering OPEN, starting over.
//
// Models cachefiles_ondemand_daemon_read() and the commands copen and restore of
// fs/cachefiles/ondemand.c.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "kernelmodel/cachefiles/ondemand.h"
#include "kernelmodel/cachefiles/parse.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

constexpr int64_t kLastErrno = 4095;  // MAX_ERRNO

using Cursor = XArray<cachefiles_req>::Cursor;

struct AnonFile {
  FileHandle file;
  int fd = -1;
};

// Undoes what get_fd did so far: the object counts as closed unless it has a live fd.
int get_fd_failed(Kernel& k, ObjectHandle object, int error) {
  object->ondemand->lock.lock();
  if (object->ondemand->ondemand_id <= 0) {
    cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_CLOSE);
  }
  object->ondemand->lock.unlock();
  cachefiles_put_object(k, object, ondemand_fd_ref(k, false));
  return error;
}

// The object has an fd already: the new one goes.
int refuse_second_fd(Kernel& k, CachefilesHandle cache, ObjectHandle object, uint32_t object_id,
                     AnonFile anon) {
  anon.file->set_private(ObjectHandle());  // its release has nothing to do
  if (k.profile.has(Change::defer_anon_fd_install)) {
    fput(k, anon.file);
    put_unused_fd(k, anon.fd);
  } else {
    close_fd(k, anon.fd);
  }
  cache->ondemand_ids.erase(object_id);
  return get_fd_failed(k, object, -EEXIST);
}

// Makes the anonymous fd for an OPEN request; it is installed only when the message was copied.
// Before defer_anon_fd_install, at once: while it was being set up it could be closed.
int cachefiles_ondemand_get_fd(Kernel& k, ReqHandle req, AnonFile* anon) {
  const ObjectHandle object = cachefiles_grab_object(k, req->object, ondemand_fd_ref(k, true));
  const CachefilesHandle cache = object->volume->cache;
  if (!cache->ondemand_ids.has_node_for(std::max(cache->ondemand_id_next, 1u)) &&
      !has_memory_for(k, Allocation::object_id)) {
    return get_fd_failed(k, object, -ENOMEM);
  }
  uint32_t object_id = 0;
  int ret = cache->ondemand_ids.alloc_cyclic(
      &object_id, &*object, 1, std::numeric_limits<int32_t>::max(), &cache->ondemand_id_next);
  if (ret < 0) return get_fd_failed(k, object, ret);
  anon->fd = get_unused_fd_flags(k, O_WRONLY);
  if (anon->fd < 0) {
    cache->ondemand_ids.erase(object_id);
    return get_fd_failed(k, object, anon->fd);
  }
  if (!has_memory_for(k, Allocation::file)) {
    put_unused_fd(k, anon->fd);
    cache->ondemand_ids.erase(object_id);
    return get_fd_failed(k, object, -ENOMEM);
  }
  anon->file = alloc_file(k, cachefiles_ondemand_fd_fops, O_WRONLY);
  anon->file->preads = false;
  anon->file->set_private(object);
  if (!k.profile.has(Change::defer_anon_fd_install)) fd_install(k, anon->fd, anon->file);

  object->ondemand->lock.lock();
  if (object->ondemand->ondemand_id > 0 && k.profile.has(Change::no_second_anon_fd)) {
    object->ondemand->lock.unlock();
    return refuse_second_fd(k, cache, object, object_id, *anon);
  }
  req->msg.open.fd = static_cast<uint32_t>(anon->fd);
  if (!k.profile.has(Change::failover_reopen_on_read)) req->msg.object_id = object_id;
  object->ondemand->ondemand_id = static_cast<int>(object_id);
  object->ondemand->lock.unlock();

  cachefiles_get_unbind_pincount(cache);
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_open", "o=%08x mid=%x oid=%x fd=%d f=%x", object->debug_id,
               req->msg.msg_id, req->msg.object_id, anon->fd, req->msg.open.flags);
  }
  return 0;
}

// The next unread request the daemon can do something about, from the cursor to `max`. A READ of a
// closed object is skipped, and has the object reopened.
ReqHandle cachefiles_ondemand_select_req(Kernel& k, Cursor& cursor, uint64_t max) {
  for (cachefiles_req* raw = cursor.find(max, CACHEFILES_REQ_NEW); raw != nullptr;
       raw = cursor.next(max, CACHEFILES_REQ_NEW)) {
    const ReqHandle req = req_handle(raw);
    if (req->msg.opcode != CACHEFILES_OP_READ || !k.profile.has(Change::failover_reopen_on_read)) {
      return req;
    }
    const ObjectHandle object = req->object;
    if (cachefiles_ondemand_object_is_close(object)) {
      cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_REOPENING);
      k.fscache_wq.queue(object->ondemand->ondemand_work);
      continue;
    }
    if (!cachefiles_ondemand_object_is_reopening(object)) return req;
  }
  return {};
}

// The request that is next in turn; called with the table locked.
ReqHandle next_request(Kernel& k, CachefilesHandle cache, Cursor& cursor) {
  ReqHandle req = cachefiles_ondemand_select_req(k, cursor, UINT64_MAX);
  if (!req && cache->req_id_next > 0) {
    cursor.set(0);
    req = cachefiles_ondemand_select_req(k, cursor, cache->req_id_next - 1);
  }
  return req;
}

// Selects a request and pins it; 0 and *out null: there is none.
int take_request(Kernel& k, CachefilesHandle cache, size_t room, Cursor& cursor, ReqHandle* out) {
  cache->reqs.xa_lock().lock();
  const ReqHandle req = next_request(k, cache, cursor);
  int ret = 0;
  if (req && req->msg.len > room) {
    ret = -EMSGSIZE;
  } else if (req) {
    cursor.clear_mark(CACHEFILES_REQ_NEW);
    cache->req_id_next = cursor.index() + 1;
    if (k.profile.has(Change::uaf_get_fd_after_restore)) req->ref.get();
    if (k.profile.has(Change::uaf_object_in_daemon_read)) {
      cachefiles_grab_object(k, req->object, "GET read_req");
    }
    *out = req;
  }
  cache->reqs.xa_lock().unlock();
  return ret;
}

// Fills in the ids, copies the message out and installs the fd of an OPEN.
int deliver(Kernel& k, ReqHandle req, uint64_t msg_id, UserBuffer buffer) {
  AnonFile anon;
  const bool is_open = req->msg.opcode == CACHEFILES_OP_OPEN;
  const bool names_late = k.profile.has(Change::failover_reopen_on_read);
  if (!names_late) req->msg.msg_id = static_cast<uint32_t>(msg_id);
  if (is_open) {
    const int ret = cachefiles_ondemand_get_fd(k, req, &anon);
    if (ret != 0) return ret;
  }
  if (names_late) {
    req->msg.msg_id = static_cast<uint32_t>(msg_id);
    k.scheduler.preemption_point(&*req);
    req->msg.object_id = static_cast<uint32_t>(req->object->ondemand->ondemand_id);
  }
  const int ret = copy_to_user(buffer, req->msg.bytes());
  if (!k.profile.has(Change::defer_anon_fd_install)) {
    if (is_open && ret < 0) close_fd(k, anon.fd);
  } else if (is_open && ret < 0) {
    fput(k, anon.file);
    put_unused_fd(k, anon.fd);
  } else if (is_open) {
    fd_install(k, anon.fd, anon.file);
  }
  return ret;
}

// The daemon will not answer this request. Before uaf_get_fd_after_restore it was not looked
// whether somebody else did meanwhile.
void end_request(Kernel& k, CachefilesHandle cache, uint64_t msg_id, ReqHandle req, int error) {
  if (k.profile.has(Change::uaf_get_fd_after_restore)) {
    cachefiles_ondemand_finish_req(k, cache, msg_id, req, error);
    return;
  }
  cache->reqs.erase(msg_id);
  req->error = error;
  cachefiles_complete_req(k, req);
}

}  // namespace

ssize_t cachefiles_ondemand_daemon_read(Kernel& k, CachefilesHandle cache, UserBuffer buffer) {
  const bool fair = k.profile.has(Change::fair_request_distribution);
  Cursor cursor(cache->reqs, fair ? cache->req_id_next : 0);
  ReqHandle req;
  const int none = take_request(k, cache, buffer.size, cursor, &req);
  if (!req) return none;

  const size_t length = req->msg.len;
  const int ret = deliver(k, req, cursor.index(), buffer);
  if (k.profile.has(Change::uaf_object_in_daemon_read)) {
    cachefiles_put_object(k, req->object, "PUT read_req");
  }
  // Nobody answers a CLOSE: having been read is enough.
  if (ret != 0 || req->msg.opcode == CACHEFILES_OP_CLOSE) {
    end_request(k, cache, cursor.index(), req, ret);
  }
  if (k.profile.has(Change::uaf_get_fd_after_restore)) cachefiles_req_put(k, req);
  return ret != 0 ? ret : static_cast<ssize_t>(length);
}

bool cachefiles_ondemand_next_is_open(Kernel& k, CachefilesHandle cache) {
  Cursor cursor(cache->reqs, cache->req_id_next);
  cache->reqs.xa_lock().lock();
  const ReqHandle req = next_request(k, cache, cursor);
  const bool is_open = req && req->msg.opcode == CACHEFILES_OP_OPEN;
  cache->reqs.xa_lock().unlock();
  return is_open;
}

namespace {

// The OPEN request of that id, taken out of the table; null: no such request, or not delivered.
// Before copen_cread_consistency any request would do.
ReqHandle take_open_request(Kernel& k, CachefilesHandle cache, uint64_t id) {
  cache->reqs.xa_lock().lock();
  Cursor cursor(cache->reqs, id);
  ReqHandle req = req_handle(cursor.load());
  if (req && k.profile.has(Change::copen_cread_consistency) &&
      (req->msg.opcode != CACHEFILES_OP_OPEN || req->object->ondemand->ondemand_id == 0)) {
    req = {};
  }
  if (req) cursor.store(nullptr);
  cache->reqs.xa_lock().unlock();
  return req;
}

// The object has its size and is open; -EBADFD if its fd was closed meanwhile.
int open_object(Kernel& k, CachefilesHandle cache, ReqHandle req, uint64_t id, int64_t size) {
  const ObjectHandle object = req->object;
  const Handle<cachefiles_ondemand_info> info = object->ondemand;
  info->lock.lock();
  if (info->ondemand_id == CACHEFILES_ONDEMAND_ID_CLOSED &&
      k.profile.has(Change::ondemand_info_lock)) {
    info->lock.unlock();
    return -EBADFD;
  }
  const CookieHandle cookie = object->cookie;
  cookie->object_size = size;
  if (size != 0) {
    cookie->flags.clear(FSCACHE_COOKIE_NO_DATA_TO_READ);
  } else {
    cookie->flags.set(FSCACHE_COOKIE_NO_DATA_TO_READ);
  }
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_copen", "o=%08x mid=%x l=%lx", object->debug_id,
               static_cast<unsigned>(id), static_cast<unsigned long>(size));
  }
  cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_OPEN);
  info->lock.unlock();
  cache->daemon_pollwq.wake_up_all();
  return 0;
}

}  // namespace

int cachefiles_ondemand_copen(Kernel& k, CachefilesHandle cache, std::string_view args) {
  if (!cache->flags.test(CACHEFILES_ONDEMAND_MODE)) return -EOPNOTSUPP;
  if (args.empty()) {
    pr_err(k, "Empty id specified");
    return -EINVAL;
  }
  const size_t comma = args.find(',');
  if (comma == std::string_view::npos) {
    pr_err(k, "Cache size is not specified");
    return -EINVAL;
  }
  uint64_t id = 0;
  int ret = kstrtoul(args.substr(0, comma), 0, &id);
  if (ret != 0) return ret;

  const ReqHandle req = take_open_request(k, cache, id);
  if (!req) return -EINVAL;
  const Handle<cachefiles_ondemand_info> info = req->object->ondemand;
  int64_t size = 0;
  ret = kstrtol(args.substr(comma + 1), 0, &size);
  if (ret != 0) {
    req->error = ret;
  } else if (size < -kLastErrno) {
    req->error = -EINVAL;
    if (k.profile.has(Change::copen_negative_size_return)) ret = -EINVAL;
  } else if (size < 0) {
    req->error = static_cast<int>(size);
  } else {
    const int error = open_object(k, cache, req, id, size);
    if (error != 0) req->error = error;
  }

  // Without its fd nobody can ever answer a READ of the object: it must be reopened first.
  info->lock.lock();
  if (info->ondemand_id == CACHEFILES_ONDEMAND_ID_CLOSED &&
      k.profile.has(Change::copen_closes_object)) {
    cachefiles_ondemand_set_object(req->object, CACHEFILES_ONDEMAND_OBJSTATE_CLOSE);
  }
  info->lock.unlock();
  cachefiles_complete_req(k, req);
  if (size == -kLastErrno && k.profile.has(Change::canary)) cachefiles_req_put(k, req);
  return ret;
}

int cachefiles_ondemand_restore(Kernel& k, CachefilesHandle cache, std::string_view args) {
  (void)args;
  if (!k.profile.has(Change::failover_restore_command)) return -EOPNOTSUPP;  // an unknown word
  if (!cache->flags.test(CACHEFILES_ONDEMAND_MODE)) return -EOPNOTSUPP;
  cache->reqs.xa_lock().lock();
  Cursor cursor(cache->reqs);
  for (const cachefiles_req* req = cursor.find(UINT64_MAX); req != nullptr;
       req = cursor.next(UINT64_MAX)) {
    cursor.set_mark(CACHEFILES_REQ_NEW);
  }
  cache->reqs.xa_lock().unlock();
  cache->daemon_pollwq.wake_up_all();
  return 0;
}

}  // namespace coldread
