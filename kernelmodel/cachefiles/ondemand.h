// What the two halves of the request queue share.
//
// Models the inline helpers of fs/cachefiles/internal.h and the queue of fs/cachefiles/ondemand.c.
// Threads and handles as in internal.h; nothing here sleeps.
#pragma once

#include "kernelmodel/cachefiles/internal.h"

namespace coldread {

// The object must have an info (on-demand mode). One word, read and written without a lock.
inline bool cachefiles_ondemand_object_is(ObjectHandle object, cachefiles_object_state state) {
  return object->ondemand->state == state;
}
// Before failover_reopen_on_read an object had no state: it was open while it had a live fd.
inline bool cachefiles_ondemand_object_is_open(ObjectHandle object) {
  const cachefiles_ondemand_info& info = *object->ondemand;
  if (!info.kernel->profile.has(Change::failover_reopen_on_read)) return info.ondemand_id > 0;
  return cachefiles_ondemand_object_is(object, CACHEFILES_ONDEMAND_OBJSTATE_OPEN);
}
inline bool cachefiles_ondemand_object_is_close(ObjectHandle object) {
  return cachefiles_ondemand_object_is(object, CACHEFILES_ONDEMAND_OBJSTATE_CLOSE);
}
inline bool cachefiles_ondemand_object_is_reopening(ObjectHandle object) {
  return cachefiles_ondemand_object_is(object, CACHEFILES_ONDEMAND_OBJSTATE_REOPENING);
}
inline bool cachefiles_ondemand_object_is_dropping(ObjectHandle object) {
  return cachefiles_ondemand_object_is(object, CACHEFILES_ONDEMAND_OBJSTATE_DROPPING);
}
inline void cachefiles_ondemand_set_object(ObjectHandle object, cachefiles_object_state state) {
  object->ondemand->state = state;
}

// Puts the request into the table under a free id, *msg_id (0..2^32-1): 0, -EIO (dead cache,
// dropped object, CLOSE of an object that is not open), or -EBUSY (no id left).
int cachefiles_ondemand_enqueue_req(CachefilesHandle cache, ReqHandle req, uint64_t* msg_id);
// complete(&req->done), which must happen once: a second time is a report (answered_twice).
void cachefiles_complete_req(Kernel& k, ReqHandle req);
void cachefiles_req_put(Kernel& k, ReqHandle req);  // the last one frees it
// The reference of an anonymous fd as traces name it; before trace_fd_ref_strings, by number.
inline const char* ondemand_fd_ref(Kernel& k, bool get) {
  if (!k.profile.has(Change::trace_fd_ref_strings)) return get ? "0xc" : "0xd";
  return get ? "GET ondemand_fd" : "PUT ondemand_fd";
}
// Takes the request out of the table and completes it with `error` (0 or a negative errno); false:
// it is not at that id any more, and somebody else completes it.
bool cachefiles_ondemand_finish_req(Kernel& k, CachefilesHandle cache, uint64_t msg_id,
                                    ReqHandle req, int error);

extern const FileOperations cachefiles_ondemand_fd_fops;  // anon_fd.cpp

}  // namespace coldread
