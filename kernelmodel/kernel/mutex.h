// struct mutex (include/linux/mutex.h): a lock whose holder may sleep.
#pragma once

#include "kernelmodel/kernel/held_locks.h"
#include "kernelmodel/kernel/wait_list.h"

namespace coldread {

// Fair: it is handed to the task that waits longest (which reaches no state that a lock open to
// stealing would not). The wait cannot be killed. Works with std::lock_guard and std::unique_lock.
// Reports: lock_order; sleeping_in_atomic if taken under a spin lock, even when it is free; warning
// if unlocked by a task that does not own it.
class Mutex {
 public:
  Mutex(Scheduler& scheduler, LockClass lock) : scheduler_(scheduler), class_(lock) {}
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() { acquire(false); }        // mutex_lock
  void lock_nested() { acquire(true); }  // mutex_lock_nested: another of its class may be held
  bool try_lock();                       // mutex_trylock
  void unlock();                         // mutex_unlock

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

inline void Mutex::acquire(bool nested) {
  scheduler_.preemption_point(this);
  might_sleep(scheduler_, "mutex_lock", class_);
  lock_acquire(scheduler_, class_, nested);
  if (owner_ != nullptr) [[unlikely]]
    wait();
  else
    owner_ = scheduler_.current();
}

inline void Mutex::unlock() {
  scheduler_.preemption_point(this);
  if (!held()) [[unlikely]]
    held_locks::report_not_owner(scheduler_, class_);
  lock_release(scheduler_, class_);
  owner_ = nullptr;
  if (!waiters_.empty()) [[unlikely]]
    owner_ = waiters_.grant_first(scheduler_).task;
}

}  // namespace coldread
