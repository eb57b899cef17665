// A first-in-first-out list of waiting tasks, the bottom of every primitive that blocks.
//
// A Waiter lives on the stack of the task that waits and is linked into the thing waited for;
// nothing is allocated. When a run is dropped the links are dropped with it.
#pragma once

#include "kernelmodel/ports/scheduler.h"

namespace coldread {

struct Waiter {
  explicit Waiter(Task* waiting_task) : task(waiting_task) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  Task* task;
  Waiter* prev = nullptr;
  Waiter* next = nullptr;
  bool linked = false;
  bool granted = false;   // it was woken for its turn, not by accident
  bool exclusive = true;  // RwSemaphore: a writer
};

class WaitList {
 public:
  bool empty() const { return first_ == nullptr; }
  Waiter* first() const { return first_; }
  Waiter* last() const { return last_; }

  void push_back(Waiter& waiter) {
    waiter.prev = last_;
    waiter.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &waiter;
    last_ = &waiter;
    waiter.linked = true;
  }

  void remove(Waiter& waiter) {
    (waiter.prev != nullptr ? waiter.prev->next : first_) = waiter.next;
    (waiter.next != nullptr ? waiter.next->prev : last_) = waiter.prev;
    waiter.prev = waiter.next = nullptr;
    waiter.linked = false;
  }

  // Takes the first one out, grants it its turn and wakes it. The list must not be empty.
  Waiter& grant_first(Scheduler& scheduler) {
    Waiter& waiter = *first_;
    remove(waiter);
    waiter.granted = true;
    scheduler.wake(*waiter.task);
    return waiter;
  }

 private:
  Waiter* first_ = nullptr;
  Waiter* last_ = nullptr;
};

// Queues the current task and blocks it until it is granted its turn, whatever else wakes it.
void wait_for_turn(Scheduler& scheduler, WaitList& list, Waiter& waiter, const WaitReason& reason);

}  // namespace coldread
