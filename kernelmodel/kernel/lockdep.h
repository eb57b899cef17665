// Which lock was ever taken behind which: the order graph of one run, as kernel/locking/lockdep.c
// keeps it.
//
// Two locks taken in both orders, by whomever and however far apart, could deadlock; the report
// needs no unlucky schedule. Locks are known by class. The locks a task holds are in its Task
// (held_locks.h adds and removes them); the graph belongs to the Scheduler, one per run.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernelmodel/kernel/report_text.h"

namespace coldread {

// Every lock of the model, in the order of the names in lockdep.cpp.
enum class LockClass : uint8_t {
  fscache_addremove_sem,
  fscache_volumes_lock,  // hlist_bl bucket lock of fscache_volume_hash
  fscache_cookies_lock,  // hlist_bl bucket lock of fscache_cookie_hash
  fscache_cookie_lru_lock,
  volume_lock,                    // fscache_volume.lock
  cookie_lock,                    // fscache_cookie.lock
  cache_state,                    // the cachefiles_cache's state
  cachefiles_daemon_mutex,        // cachefiles_cache.daemon_mutex
  cachefiles_reqs_lock,           // xa_lock of cachefiles_cache.reqs
  cachefiles_ondemand_ids_lock,   // xa_lock of cachefiles_cache.ondemand_ids
  cachefiles_object_list_lock,    // cachefiles_cache.object_list_lock
  cachefiles_object_lock,         // cachefiles_object.lock
  cachefiles_ondemand_info_lock,  // cachefiles_ondemand_info.lock
  cachefiles_open_mutex,
  rename_mutex,   // super_block.s_vfs_rename_mutex
  inode_rwsem,    // inode.i_rwsem
  files_lock,     // files_struct.file_lock
  file_pos_lock,  // file.f_pos_lock
  work_queue_lock,
  erofs_domain_list_lock,
  erofs_domain_cookies_lock,
  test_a,  // for tests
  test_b,
  test_c,
};
inline constexpr size_t kLockClasses = static_cast<size_t>(LockClass::test_c) + 1;

const char* lock_class_name(LockClass lock);

class Lockdep {
 public:
  // Whether `taken` was already taken behind `held`, and found harmless.
  bool knows(LockClass held, LockClass taken) const {
    return (behind_[index(held)] & bit(taken)) != 0;
  }

  // Notes that the task named `task` takes `taken` while it holds `held`. Returns false, and notes
  // nothing, if `held` was ever taken behind `taken`, directly or through other locks. `task` must
  // live as long as the run.
  bool add(LockClass held, LockClass taken, const char* task);

  // Appends the known chain "first -> ... -> last", each step with the task that made it first.
  // Appends nothing if there is none.
  void describe_chain(LockClass first, LockClass last, ReportText& text) const;

 private:
  static constexpr size_t index(LockClass lock) { return static_cast<size_t>(lock); }
  static constexpr uint64_t bit(LockClass lock) { return uint64_t{1} << index(lock); }

  bool find_chain(LockClass first, LockClass last, uint8_t* came_from) const;

  static_assert(kLockClasses <= 64, "a set of classes is one word");
  uint64_t behind_[kLockClasses] = {};  // the classes taken while holding this one
  const char* taken_by_[kLockClasses][kLockClasses] = {};
};

}  // namespace coldread
