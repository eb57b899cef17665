// The globals of cachefiles and the construction of its records.
#include "kernelmodel/cachefiles/internal.h"

namespace coldread {
namespace {

constexpr size_t kUsualInodes = 300;  // a volume's directories and a few more

}  // namespace

cachefiles_ondemand_info::cachefiles_ondemand_info(Kernel& k, ObjectHandle owner)
    : ondemand_work(cachefiles_ondemand_object_worker, this),
      lock(k.scheduler, LockClass::cachefiles_ondemand_info_lock),
      object(owner),
      kernel(&k) {}

cachefiles_object::cachefiles_object(Kernel& k)
    : lock(k.scheduler, LockClass::cachefiles_object_lock),
      ref(k.scheduler, "cachefiles_object->ref", 1),
      flags(k.scheduler, "object->flags") {}

cachefiles_req::cachefiles_req(Scheduler& scheduler, ObjectHandle owner)
    : object(owner), done(scheduler, "req->done"), ref(scheduler, "cachefiles_req->ref", 1) {}

cachefiles_cache::cachefiles_cache(Kernel& k)
    : volumes(&k.scheduler.memory()),
      object_list(&k.scheduler.memory()),
      object_list_lock(k.scheduler, LockClass::cachefiles_object_list_lock),
      daemon_mutex(k.scheduler, LockClass::cachefiles_daemon_mutex),
      daemon_pollwq(k.scheduler, "cache->daemon_pollwq"),
      f_released(k.scheduler, 0),
      flags(k.scheduler, "cache->flags"),
      rootdirname(&k.scheduler.memory()),
      tag(&k.scheduler.memory()),
      secctx(&k.scheduler.memory()),
      unbind_pincount(k.scheduler, "cache->unbind_pincount", 1),
      reqs(k.scheduler, LockClass::cachefiles_reqs_lock),
      ondemand_ids(k.scheduler, LockClass::cachefiles_ondemand_ids_lock) {}

inode_state::inode_state(Scheduler& scheduler, InodeNumber its_number)
    : rwsem(scheduler, LockClass::inode_rwsem), number(its_number) {}

cachefiles_state::cachefiles_state(Kernel& k)
    : cache_pool(k.scheduler, "cachefiles_cache"),
      volume_pool(k.scheduler, "cachefiles_volume"),
      object_pool(k.scheduler, "cachefiles_object"),
      info_pool(k.scheduler, "cachefiles_ondemand_info"),
      req_pool(k.scheduler, "cachefiles_req"),
      cred_pool(k.scheduler, "cred"),
      inodes(kUsualInodes, &k.scheduler.memory()),
      rename_mutex(k.scheduler, LockClass::rename_mutex),
      object_debug_id(k.scheduler, 0) {}

}  // namespace coldread
