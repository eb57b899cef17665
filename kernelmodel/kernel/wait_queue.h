// wait_queue_head_t and wait_event() (include/linux/wait.h); also wait_var_event(), whose queue is
// hashed from an address in Linux and simply a WaitQueue here.
#pragma once

#include "kernelmodel/kernel/errno.h"
#include "kernelmodel/kernel/held_locks.h"
#include "kernelmodel/kernel/wait_list.h"

namespace coldread {

// Whoever changes what a waiter looks at must wake the queue afterwards; a wake-up between a
// waiter's look and its sleep is not lost. Wakes may come from a timer's fn. `name` is a literal.
// The queue must outlive its waiters. Waits report sleeping_in_atomic under a spin lock, even if
// ready at once.
class WaitQueue {
 public:
  // wait_queue_entry. One entry is on at most one queue; a task that waits on several (poll) uses
  // one for each. Lives on the waiting task's stack, and must be removed before it goes away.
  class Entry : private Waiter {
   public:
    // Wakes `task`.
    explicit Entry(Task& waiting_task) : Waiter(&waiting_task) {}
    // Calls fn(arg) instead, within the waker, once per add(); it must not block, nor
    // remove entries; it may add this one again.
    Entry(void (*fn)(void*), void* arg) : Waiter(nullptr), fn_(fn), arg_(arg) {}

    // The queue was woken since the last add().
    bool woken() const { return granted; }

   private:
    friend class WaitQueue;
    void (*fn_)(void*) = nullptr;
    void* arg_ = nullptr;
  };

  // `kind` is what a report calls it when a wait on it never ends.
  WaitQueue(Scheduler& scheduler, const char* name, const char* kind = "wait queue")
      : scheduler_(scheduler), name_(name), kind_(kind) {}
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  // Waits until ready() is true. ready() runs on the calling task, any number of times, may lock
  // and be preempted, and must own no heap memory.
  template <typename Ready>
  void wait_event(Ready ready) {
    wait(ready, false, kNever);
  }

  // As wait_event; -ERESTARTSYS if a fatal signal is pending and ready() is false, else 0.
  template <typename Ready>
  int wait_event_killable(Ready ready) {
    return wait(ready, true, kNever);
  }

  // wait_event_timeout: as wait_event, but at most until `deadline` (absolute). Returns the last
  // ready().
  template <typename Ready>
  bool wait_event_until(Ready ready, TimeNs deadline) {
    return wait(ready, false, deadline) == 0;
  }

  void wake_up_one();  // the task that waits longest
  void wake_up_all();  // everyone who waits now

  // Waiting by hand, on one or several queues: add, look, block only if no entry was woken, repeat,
  // remove. add() re-arms an entry that was woken and does nothing to one that still waits.
  //
  //   for (;;) {
  //     a.add(entry_a);  b.add(entry_b);
  //     if (ready()) break;
  //     if (!entry_a.woken() && !entry_b.woken()) scheduler.block(reason);
  //   }
  //   a.remove(entry_a);  b.remove(entry_b);
  void add(Entry& entry);  // prepare_to_wait
  // finish_wait. Not a preemption point: a wake-up between the last look and here would be lost.
  void remove(Entry& entry);

  bool active() const { return !waiters_.empty(); }  // waitqueue_active
  const char* name() const { return name_; }

 private:
  friend class Completion;
  static constexpr TimeNs kNever = UINT64_MAX;

  template <typename Ready>
  int wait(Ready& ready, bool killable, TimeNs deadline);
  void sleep(bool killable, TimeNs deadline);
  void enqueue(Entry& entry);
  void wake_first();

  Scheduler& scheduler_;
  const char* name_;
  const char* kind_;
  WaitList waiters_;
};

// 0 if ready; -ERESTARTSYS; -ETIME. What is ready wins over a signal and over the deadline. Nobody
// gives up while it has a wake-up that it did not follow: another waiter may need that one.
template <typename Ready>
int WaitQueue::wait(Ready& ready, bool killable, TimeNs deadline) {
  might_sleep(scheduler_, "wait_event", name_);
  scheduler_.preemption_point(this);
  if (ready()) return 0;
  const Task& self = *scheduler_.current();
  Entry entry(*scheduler_.current());
  int result = 0;
  for (;;) {
    enqueue(entry);
    if (ready()) break;
    if (entry.woken()) continue;
    if (killable && self.fatal_signal) {
      result = -ERESTARTSYS;
      break;
    }
    if (deadline != kNever && scheduler_.now() >= deadline) {
      result = -ETIME;
      break;
    }
    sleep(killable, deadline);
  }
  remove(entry);
  return result;
}

}  // namespace coldread
