// spinlock_t (include/linux/spinlock.h): a lock whose holder must not sleep.
#pragma once

#include "kernelmodel/kernel/held_locks.h"
#include "kernelmodel/kernel/wait_list.h"

namespace coldread {

// Fair: it is handed to the task that waits longest. A task may hold one spin lock and wait for
// another; waiting for a spin lock is not sleeping. Works with std::lock_guard and
// std::unique_lock. Not for a timer's fn. Reports: lock_order; warning if unlocked by a task that
// does not own it.
class SpinLock {
 public:
  SpinLock(Scheduler& scheduler, LockClass lock) : scheduler_(scheduler), class_(lock) {}
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() { acquire(false); }        // spin_lock
  void lock_nested() { acquire(true); }  // spin_lock_nested: another of its class may be held
  bool try_lock();                       // spin_trylock
  void unlock();                         // spin_unlock

  bool is_locked() const { return owner_ != nullptr; }
  // lockdep_is_held: the current task owns it. Not a preemption point.
  bool held() const { return owner_ != nullptr && owner_ == scheduler_.current(); }

 private:
  void acquire(bool nested);
  void wait();

  Scheduler& scheduler_;
  Task* owner_ = nullptr;
  WaitList waiters_;
  LockClass class_;
};

inline void SpinLock::acquire(bool nested) {
  scheduler_.preemption_point(this);
  lock_acquire(scheduler_, class_, nested);
  if (owner_ != nullptr) [[unlikely]]
    wait();
  else
    owner_ = scheduler_.current();
  owner_->spin_count++;
}

inline void SpinLock::unlock() {
  scheduler_.preemption_point(this);
  if (!held()) [[unlikely]]
    held_locks::report_not_owner(scheduler_, class_);
  lock_release(scheduler_, class_);
  owner_->spin_count--;
  owner_ = nullptr;
  if (!waiters_.empty()) [[unlikely]]
    owner_ = waiters_.grant_first(scheduler_).task;
}

}  // namespace coldread
