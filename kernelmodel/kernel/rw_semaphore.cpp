#include "kernelmodel/kernel/rw_semaphore.h"

namespace coldread {

bool RwSemaphore::down_read_trylock() {
  scheduler_.preemption_point(this);
  if (writer_ != nullptr || !waiters_.empty()) return false;
  held_locks::push(scheduler_, class_, false);
  readers_++;
  return true;
}

bool RwSemaphore::down_write_trylock() {
  scheduler_.preemption_point(this);
  if (is_locked()) return false;
  held_locks::push(scheduler_, class_, false);
  writer_ = scheduler_.current();
  return true;
}

void RwSemaphore::wait(bool exclusive) {
  Waiter waiter(scheduler_.current());
  waiter.exclusive = exclusive;
  wait_for_turn(scheduler_, waiters_, waiter,
                WaitReason{.kind = exclusive ? "rwsem (write)" : "rwsem (read)",
                           .name = lock_class_name(class_),
                           .object = this});
}

// It is free and somebody waits: to the first writer, or to all readers in front of the next one.
void RwSemaphore::pass_on() {
  if (waiters_.first()->exclusive) {
    writer_ = waiters_.grant_first(scheduler_).task;
    return;
  }
  while (!waiters_.empty() && !waiters_.first()->exclusive) {
    waiters_.grant_first(scheduler_);
    readers_++;
  }
}

}  // namespace coldread
