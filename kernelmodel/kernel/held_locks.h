// What every lock tells lockdep (lock_acquire, lock_release) and what every sleeping call asserts
// (might_sleep): the held locks of the current task.
//
// Called by the primitives; the model itself only needs might_sleep(). None of them is a preemption
// point. In a timer's fn, where there is no task, taking a lock is a warning report.
#pragma once

#include "kernelmodel/kernel/lockdep.h"
#include "kernelmodel/ports/scheduler.h"

namespace coldread {

namespace held_locks {

inline constexpr uint8_t kNested = 0x80;  // in Task::held, beside the class

// The reports. `what` is the operation: "mutex_lock" ...
[[noreturn]] void report_sleeping_in_atomic(Scheduler& scheduler, const char* what,
                                            const char* name);
[[noreturn]] void report_not_owner(Scheduler& scheduler, LockClass lock);
[[noreturn]] void report_too_many(Scheduler& scheduler, LockClass lock);
[[noreturn]] void report_leaked_by_work(Scheduler& scheduler);
[[noreturn]] void report_in_timer(Scheduler& scheduler, LockClass lock);
// Same class twice, or a new pair of classes; returns if it is fine.
void check_new_pair(Scheduler& scheduler, uint8_t held, LockClass lock, bool nested);

// The current task holds it; what a trylock, which cannot deadlock, does alone.
inline void push(Scheduler& scheduler, LockClass lock, bool nested) {
  Task* task = scheduler.current();
  if (task == nullptr) [[unlikely]]
    report_in_timer(scheduler, lock);
  if (task->held_count == Task::kMaxHeldLocks) [[unlikely]]
    report_too_many(scheduler, lock);
  task->held[task->held_count++] =
      static_cast<uint8_t>(static_cast<uint8_t>(lock) | (nested ? kNested : 0));
}

}  // namespace held_locks

// Before waiting for a lock: the current task is about to hold it. Reports ReportKind::lock_order
// if a lock it holds was ever taken behind this one, or has the same class and neither of the two
// was taken `nested` (as spin_lock_nested, I_MUTEX_PARENT).
inline void lock_acquire(Scheduler& scheduler, LockClass lock, bool nested = false) {
  const Task* task = scheduler.current();
  for (uint8_t i = 0; task != nullptr && i < task->held_count; i++) {
    const uint8_t held = task->held[i];
    const auto other = static_cast<LockClass>(held & ~held_locks::kNested);
    if (!scheduler.lockdep().knows(other, lock)) [[unlikely]]
      held_locks::check_new_pair(scheduler, held, lock, nested);
  }
  held_locks::push(scheduler, lock, nested);
}

// The current task gives up a lock of this class; locks may be released in any order. Reports
// ReportKind::warning if it holds none.
inline void lock_release(Scheduler& scheduler, LockClass lock) {
  Task* task = scheduler.current();
  uint8_t i = task->held_count;
  do {
    if (i == 0) [[unlikely]]
      held_locks::report_not_owner(scheduler, lock);
    i--;
  } while ((task->held[i] & ~held_locks::kNested) != static_cast<uint8_t>(lock));
  task->held_count--;
  for (; i < task->held_count; i++) task->held[i] = task->held[i + 1];
}

// might_sleep(): the current task may block here, whether or not it does this time. Reports
// ReportKind::sleeping_in_atomic if it holds a spin lock. `what` and `name` are literals: the
// operation and the thing waited for.
inline void might_sleep(Scheduler& scheduler, const char* what, const char* name = "") {
  const Task* task = scheduler.current();
  if (task != nullptr && task->spin_count > 0) [[unlikely]]
    held_locks::report_sleeping_in_atomic(scheduler, what, name);
}
inline void might_sleep(Scheduler& scheduler, const char* what, LockClass lock) {
  const Task* task = scheduler.current();
  if (task != nullptr && task->spin_count > 0) [[unlikely]]
    held_locks::report_sleeping_in_atomic(scheduler, what, lock_class_name(lock));
}

}  // namespace coldread
