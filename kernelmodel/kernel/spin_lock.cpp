#include "kernelmodel/kernel/spin_lock.h"

#include <utility>

namespace coldread {

bool SpinLock::try_lock() {
  scheduler_.preemption_point(this);
  if (owner_ != nullptr) return false;
  held_locks::push(scheduler_, class_, false);
  owner_ = scheduler_.current();
  owner_->spin_count++;
  return true;
}

// In the kernel the task would spin here, not sleep: the spin locks it holds do not matter.
void SpinLock::wait() {
  Task& self = *scheduler_.current();
  const uint8_t held = std::exchange(self.spin_count, uint8_t{0});
  Waiter waiter(&self);
  wait_for_turn(scheduler_, waiters_, waiter,
                WaitReason{.kind = "spin lock", .name = lock_class_name(class_), .object = this});
  self.spin_count = held;
}

}  // namespace coldread
