// struct rw_semaphore (include/linux/rwsem.h): many readers or one writer, all of whom may sleep.
#pragma once

#include "kernelmodel/kernel/held_locks.h"
#include "kernelmodel/kernel/wait_list.h"

namespace coldread {

// Fair: waiters get it in the order they came, readers that stand together at once; a reader that
// comes while anybody waits queues behind. Waits cannot be killed. For lockdep a read lock counts
// as a write lock. Reports: as Mutex.
class RwSemaphore {
 public:
  RwSemaphore(Scheduler& scheduler, LockClass lock) : scheduler_(scheduler), class_(lock) {}
  RwSemaphore(const RwSemaphore&) = delete;
  RwSemaphore& operator=(const RwSemaphore&) = delete;

  void down_read();
  bool down_read_trylock();
  void up_read();

  void down_write() { down_write(false); }
  void down_write_nested() {
    down_write(true);
  }  // another of its class may be held: I_MUTEX_PARENT
  bool down_write_trylock();
  void up_write();

  bool is_locked() const { return writer_ != nullptr || readers_ > 0; }
  // The current task is the writer. Not a preemption point.
  bool held_for_write() const { return writer_ != nullptr && writer_ == scheduler_.current(); }

  // For std::lock_guard and friends: a guard holds it for writing.
  void lock() { down_write(); }
  void unlock() { up_write(); }

 private:
  void down_write(bool nested);
  void wait(bool exclusive);
  void pass_on();

  Scheduler& scheduler_;
  Task* writer_ = nullptr;
  uint32_t readers_ = 0;
  LockClass class_;
  WaitList waiters_;
};

inline void RwSemaphore::down_read() {
  scheduler_.preemption_point(this);
  might_sleep(scheduler_, "down_read", class_);
  lock_acquire(scheduler_, class_);
  if (writer_ != nullptr || !waiters_.empty()) [[unlikely]]
    wait(false);
  else
    readers_++;
}

inline void RwSemaphore::down_write(bool nested) {
  scheduler_.preemption_point(this);
  might_sleep(scheduler_, "down_write", class_);
  lock_acquire(scheduler_, class_, nested);
  if (is_locked()) [[unlikely]]
    wait(true);
  else
    writer_ = scheduler_.current();
}

inline void RwSemaphore::up_read() {
  scheduler_.preemption_point(this);
  if (readers_ == 0) [[unlikely]]
    held_locks::report_not_owner(scheduler_, class_);
  lock_release(scheduler_, class_);
  if (--readers_ == 0 && !waiters_.empty()) [[unlikely]]
    pass_on();
}

inline void RwSemaphore::up_write() {
  scheduler_.preemption_point(this);
  if (!held_for_write()) [[unlikely]]
    held_locks::report_not_owner(scheduler_, class_);
  lock_release(scheduler_, class_);
  writer_ = nullptr;
  if (!waiters_.empty()) [[unlikely]]
    pass_on();
}

}  // namespace coldread
