// The request queue: how the kernel side asks the daemon and waits for its answer.
//
// Models the half of fs/cachefiles/ondemand.c that sends requests, and the reopening of objects;
// the daemon's half is in ondemand_daemon.cpp.
#include "kernelmodel/cachefiles/ondemand.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {

void cachefiles_complete_req(Kernel& k, ReqHandle req) {
  if (std::exchange(req->answered, true)) {
    k.scheduler.broken(ReportKind::answered_twice, "a request was answered twice");
  }
  req->done.complete();
}

void cachefiles_req_put(Kernel& k, ReqHandle req) {
  if (req->ref.put()) k.cachefiles.req_pool.destroy(req);
}

bool cachefiles_ondemand_finish_req(Kernel& k, CachefilesHandle cache, uint64_t msg_id,
                                    ReqHandle req, int error) {
  if (cache->reqs.cmpxchg(msg_id, &*req, nullptr) != &*req) return false;
  req->error = error;
  cachefiles_complete_req(k, req);
  return true;
}

// What a request says beyond its header.
using InitReq = int (*)(Kernel& k, ReqHandle req, const uapi::cachefiles_read& range);

// One step together with the tests of DEAD and DROPPING: a request that slips in after a flush is
// never answered.
int cachefiles_ondemand_enqueue_req(CachefilesHandle cache, ReqHandle req, uint64_t* msg_id) {
  const ObjectHandle object = req->object;
  Kernel& k = *object->ondemand->kernel;
  const Profile& profile = k.profile;
  const bool needs_open = profile.has(Change::failover_reopen_on_read)
                              ? req->msg.opcode == CACHEFILES_OP_CLOSE
                              : req->msg.opcode != CACHEFILES_OP_OPEN;
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  cache->reqs.xa_lock().lock();
  int ret = 0;
  if (cache->flags.test(CACHEFILES_DEAD) || cachefiles_ondemand_object_is_dropping(object)) {
    ret = -EIO;
  } else if (needs_open && !cachefiles_ondemand_object_is_open(object)) {
    ret = -EIO;
  } else {
    // Ids go round, so that a late answer to an old request does not meet a new one.
    constexpr uint64_t kLastId = std::numeric_limits<uint32_t>::max();
    const uint32_t first = profile.has(Change::msg_id_cyclic) ? cache->msg_id_next : 0;
    cursor.set(first);
    bool found = cursor.find_free(kLastId);
    if (!found && first > 0) {
      cursor.set(0);
      found = cursor.find_free(first - 1);
    }
    if (!found) {
      ret = -EBUSY;
    } else if (!cache->reqs.has_node_for(cursor.index()) &&
               !has_memory_for(k, Allocation::request_id)) {
      ret = -ENOMEM;
    } else {
      cursor.store(&*req);
      cursor.set_mark(CACHEFILES_REQ_NEW);
      cache->msg_id_next = static_cast<uint32_t>(cursor.index() + 1);
      *msg_id = cursor.index();
    }
  }
  cache->reqs.xa_lock().unlock();
  return ret;
}

namespace {

// Sleeps until the request is answered, flushed or, by a fatal signal, given up.
int wait_for_answer(Kernel& k, CachefilesHandle cache, ReqHandle req, uint64_t msg_id) {
  bool killed = false;
  if (k.profile.has(Change::killable_ondemand_wait)) {
    killed = req->done.wait_killable() != 0;
  } else {
    req->done.wait();
  }
  // If it is not in the table any more, an answer is under way: it counts, not the signal.
  if (killed && !cachefiles_ondemand_finish_req(k, cache, msg_id, req, -EINTR)) req->done.wait();
  const int ret = req->error;
  cachefiles_req_put(k, req);
  return ret;
}

int cachefiles_ondemand_send_req(Kernel& k, ObjectHandle object, cachefiles_opcode opcode,
                                 size_t data_len, InitReq init_req,
                                 const uapi::cachefiles_read& range) {
  const CachefilesHandle cache = object->volume->cache;
  if (!cache->flags.test(CACHEFILES_ONDEMAND_MODE)) return 0;

  int ret = 0;
  ReqHandle req;
  uint64_t msg_id = 0;
  if (cache->flags.test(CACHEFILES_DEAD)) {
    ret = -EIO;
  } else if (!has_memory_for(k, Allocation::request)) {
    ret = -ENOMEM;
  } else {
    req = k.cachefiles.req_pool.create(k.scheduler, object);
    static_cast<uapi::cachefiles_msg&>(req->msg) = {
        0, opcode, static_cast<uint32_t>(sizeof(uapi::cachefiles_msg) + data_len), 0};
    ret = init_req(k, req, range);
    if (ret == 0) ret = cachefiles_ondemand_enqueue_req(cache, req, &msg_id);
  }
  if (ret == 0) {
    cache->daemon_pollwq.wake_up_all();
    return wait_for_answer(k, cache, req, msg_id);
  }

  if (opcode == CACHEFILES_OP_OPEN && !cachefiles_ondemand_object_is_dropping(object)) {
    cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_CLOSE);
  }
  if (req) k.cachefiles.req_pool.destroy(req);
  return ret;
}

int init_open_req(Kernel& k, ReqHandle req, const uapi::cachefiles_read& range) {
  (void)range;
  const CookieHandle cookie = req->object->cookie;
  const VolumeHandle volume = req->object->volume->vcookie;
  if ((cookie->advice & FSCACHE_ADV_WANT_CACHE_SIZE) == 0) {
    pr_err(k, "WANT_CACHE_SIZE is needed for on-demand mode");
    return -EINVAL;
  }
  const uint32_t volume_key_size = volume->key[0] + 1u;  // with its NUL
  req->msg.open = {volume_key_size, cookie->key_len, 0, 0};
  std::memcpy(req->msg.keys.data(), volume->key.data() + 1, volume_key_size);
  std::memcpy(req->msg.keys.data() + volume_key_size, cookie->key.data(), cookie->key_len);
  return 0;
}

// Before failover_reopen_on_read a message named its object as the object was when it was sent.
void name_object(Kernel& k, ReqHandle req) {
  if (k.profile.has(Change::failover_reopen_on_read)) return;
  req->msg.object_id = static_cast<uint32_t>(req->object->ondemand->ondemand_id);
}

int init_close_req(Kernel& k, ReqHandle req, const uapi::cachefiles_read& range) {
  (void)range;
  if (!cachefiles_ondemand_object_is_open(req->object)) return -ENOENT;
  name_object(k, req);
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_close", "o=%08x mid=%x oid=%x", req->object->debug_id,
               req->msg.msg_id, req->msg.object_id);
  }
  return 0;
}

int init_read_req(Kernel& k, ReqHandle req, const uapi::cachefiles_read& range) {
  // Nobody could answer it, and nobody reopened objects then.
  if (!k.profile.has(Change::failover_reopen_on_read) &&
      !cachefiles_ondemand_object_is_open(req->object)) {
    warn_on(k, req->object->ondemand->ondemand_id == 0, "READ of an object that was never opened");
    pr_err(k, "READ: anonymous fd closed prematurely.");
    return -EIO;
  }
  req->msg.read = range;
  name_object(k, req);
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ondemand_read", "o=%08x mid=%x oid=%x s=%llx l=%zx",
               req->object->debug_id, req->msg.msg_id, req->msg.object_id,
               static_cast<unsigned long long>(range.off), static_cast<size_t>(range.len));
  }
  return 0;
}

// The caller holds the table's lock.
void cancel_requests(Kernel& k, CachefilesHandle cache, ObjectHandle object) {
  XArray<cachefiles_req>::Cursor cursor(cache->reqs);
  for (cachefiles_req* raw = cursor.find(UINT64_MAX); raw != nullptr;
       raw = cursor.next(UINT64_MAX)) {
    const ReqHandle req = req_handle(raw);
    if (req->object != object) continue;
    req->error = -EIO;
    cursor.store(nullptr);
    cachefiles_complete_req(k, req);
  }
}

// An object that goes away sends no more requests; those it has sent end with -EIO.
void drop_object(Kernel& k, CachefilesHandle cache, ObjectHandle object) {
  cache->reqs.xa_lock().lock();
  if (k.profile.has(Change::stop_requests_when_dropping)) {
    cachefiles_ondemand_set_object(object, CACHEFILES_ONDEMAND_OBJSTATE_DROPPING);
  }
  if (k.profile.has(Change::cancel_requests_when_dropping)) cancel_requests(k, cache, object);
  cache->reqs.xa_lock().unlock();
}

}  // namespace

bool cachefiles_ondemand_is_reopening_read(ReqHandle req) {
  return req->object->ondemand->state == CACHEFILES_ONDEMAND_OBJSTATE_REOPENING &&
         req->msg.opcode == CACHEFILES_OP_READ;
}

namespace {

// Without a record, as there is none in a cache without a daemon, there is nothing to do.
bool has_no_record(Kernel& k, ObjectHandle object) {
  return !object->ondemand && k.profile.has(Change::non_ondemand_null_deref);
}

}  // namespace

int cachefiles_ondemand_init_object(Kernel& k, ObjectHandle object) {
  if (has_no_record(k, object)) return 0;
  // An object found stale and made anew in the same lookup keeps the fd it has.
  if (cachefiles_ondemand_object_is_open(object)) return 0;
  const size_t data_len = sizeof(uapi::cachefiles_open) + object->volume->vcookie->key[0] + 1u +
                          object->cookie->key_len;
  return cachefiles_ondemand_send_req(k, object, CACHEFILES_OP_OPEN, data_len, init_open_req, {});
}

void cachefiles_ondemand_clean_object(Kernel& k, ObjectHandle object) {
  if (has_no_record(k, object)) return;
  cachefiles_ondemand_send_req(k, object, CACHEFILES_OP_CLOSE, 0, init_close_req, {});
  if (object->ondemand->ondemand_id == 0) return;
  drop_object(k, object->volume->cache, object);
  if (k.profile.has(Change::wait_reopen_worker)) {
    k.fscache_wq.cancel_sync(object->ondemand->ondemand_work);
  }
}

int cachefiles_ondemand_init_obj_info(Kernel& k, ObjectHandle object,
                                      Handle<cachefiles_volume> volume) {
  if (cachefiles_in_ondemand_mode(volume->cache)) {
    object->ondemand = k.cachefiles.info_pool.create(k, object);
  }
  return 0;
}

void cachefiles_ondemand_deinit_obj_info(Kernel& k, ObjectHandle object) {
  if (object->ondemand) k.cachefiles.info_pool.destroy(object->ondemand);
  object->ondemand = {};
}

int cachefiles_ondemand_read(Kernel& k, ObjectHandle object, uint64_t pos, uint64_t len) {
  object->reads_sent++;
  return cachefiles_ondemand_send_req(k, object, CACHEFILES_OP_READ, sizeof(uapi::cachefiles_read),
                                      init_read_req, {pos, len});
}

void cachefiles_ondemand_object_worker(void* argument) {
  auto* info = static_cast<cachefiles_ondemand_info*>(argument);
  cachefiles_ondemand_init_object(*info->kernel, info->object);
}

}  // namespace coldread
