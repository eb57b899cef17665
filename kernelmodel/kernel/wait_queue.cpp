#include "kernelmodel/kernel/wait_queue.h"

namespace coldread {

void WaitQueue::enqueue(Entry& entry) {
  entry.granted = false;
  if (!entry.linked) waiters_.push_back(entry);
}

void WaitQueue::add(Entry& entry) {
  scheduler_.preemption_point(this);
  enqueue(entry);
}

void WaitQueue::remove(Entry& entry) {
  if (entry.linked) waiters_.remove(entry);
}

void WaitQueue::sleep(bool killable, TimeNs deadline) {
  const WaitReason reason{.kind = kind_, .name = name_, .killable = killable, .object = this};
  if (deadline == kNever)
    scheduler_.block(reason);
  else
    scheduler_.block_until(reason, deadline);
}

void WaitQueue::wake_first() {
  auto& entry = static_cast<Entry&>(*waiters_.first());
  waiters_.remove(entry);
  entry.granted = true;
  if (entry.task != nullptr)
    scheduler_.wake(*entry.task);
  else
    entry.fn_(entry.arg_);
}

void WaitQueue::wake_up_one() {
  scheduler_.preemption_point(this);
  if (!waiters_.empty()) wake_first();
}

void WaitQueue::wake_up_all() {
  scheduler_.preemption_point(this);
  // An entry's function may add it again: that one waits for the next wake.
  const Waiter* last = waiters_.last();
  while (!waiters_.empty()) {
    const bool done = waiters_.first() == last;
    wake_first();
    if (done) break;
  }
}

}  // namespace coldread
