#include "kernelmodel/kernel/completion.h"

namespace coldread {

Completion::Completion(Scheduler& scheduler, const char* name)
    : scheduler_(scheduler), waiters_(scheduler, name, "completion") {}

void Completion::complete() {
  scheduler_.preemption_point(this);
  if (done_ != kAll) done_++;
  if (waiters_.active()) waiters_.wake_first();
}

void Completion::complete_all() {
  scheduler_.preemption_point(this);
  done_ = kAll;
  while (waiters_.active()) waiters_.wake_first();
}

bool Completion::waited_for_by(const Task& task) const {
  const Waiter* waiter = waiters_.waiters_.first();
  while (waiter != nullptr && waiter->task != &task) waiter = waiter->next;
  return waiter != nullptr;
}

void Completion::wait() {
  waiters_.wait_event([this] { return take(); });
}

int Completion::wait_killable() {
  return waiters_.wait_event_killable([this] { return take(); });
}

bool Completion::done() {
  scheduler_.preemption_point(this);
  return done_ > 0;
}

void Completion::reinit() {
  scheduler_.preemption_point(this);
  done_ = 0;
}

bool Completion::take() {
  scheduler_.preemption_point(this);
  if (done_ == 0) return false;
  if (done_ != kAll) done_--;
  return true;
}

}  // namespace coldread
