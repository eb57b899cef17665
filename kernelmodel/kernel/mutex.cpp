#include "kernelmodel/kernel/mutex.h"

namespace coldread {

bool Mutex::try_lock() {
  scheduler_.preemption_point(this);
  if (owner_ != nullptr) return false;
  held_locks::push(scheduler_, class_, false);
  owner_ = scheduler_.current();
  return true;
}

void Mutex::wait() {
  Waiter waiter(scheduler_.current());
  wait_for_turn(scheduler_, waiters_, waiter,
                WaitReason{.kind = "mutex", .name = lock_class_name(class_), .object = this});
}

}  // namespace coldread
