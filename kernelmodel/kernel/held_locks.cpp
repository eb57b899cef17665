#include "kernelmodel/kernel/held_locks.h"

namespace coldread::held_locks {

namespace {

LockClass class_of(uint8_t held) {
  return static_cast<LockClass>(held & ~kNested);
}

// "name (which holds a, b)"
void describe_task(const Task& task, ReportText& text) {
  text << task.name;
  if (task.held_count == 0) return;
  for (uint8_t i = 0; i < task.held_count; i++)
    text << (i == 0 ? " (which holds " : ", ") << lock_class_name(class_of(task.held[i]));
  text << ")";
}

const char* current_name(const Scheduler& scheduler) {
  return scheduler.current() != nullptr ? scheduler.current()->name : "a timer";
}

}  // namespace

void report_sleeping_in_atomic(Scheduler& scheduler, const char* what, const char* name) {
  ReportText text;
  describe_task(*scheduler.current(), text);
  text << " may sleep in " << what << "(" << name << ") while it holds a spin lock";
  report(scheduler, ReportKind::sleeping_in_atomic, text);
}

void report_not_owner(Scheduler& scheduler, LockClass lock) {
  ReportText text;
  text << lock_class_name(lock) << " was unlocked by " << current_name(scheduler)
       << ", which does not hold it";
  report(scheduler, ReportKind::warning, text);
}

void report_too_many(Scheduler& scheduler, LockClass lock) {
  ReportText text;
  describe_task(*scheduler.current(), text);
  text << " takes " << lock_class_name(lock) << ": more locks than can be followed";
  report(scheduler, ReportKind::warning, text);
}

void report_leaked_by_work(Scheduler& scheduler) {
  ReportText text;
  describe_task(*scheduler.current(), text);
  text << " ended its work without giving them back";
  report(scheduler, ReportKind::warning, text);
}

void report_in_timer(Scheduler& scheduler, LockClass lock) {
  ReportText text;
  text << lock_class_name(lock) << " was taken in a timer";
  report(scheduler, ReportKind::warning, text);
}

void check_new_pair(Scheduler& scheduler, uint8_t held, LockClass lock, bool nested) {
  const Task& task = *scheduler.current();
  ReportText text;
  if (class_of(held) == lock) {
    if (nested || (held & kNested) != 0) return;
    text << lock_class_name(lock) << " is taken by ";
    describe_task(task, text);
    text << ": two of one class without nesting";
  } else {
    if (scheduler.lockdep().add(class_of(held), lock, task.name)) return;
    text << lock_class_name(class_of(held)) << " -> " << lock_class_name(lock)
         << " is the order of ";
    describe_task(task, text);
    text << ", but known is ";
    scheduler.lockdep().describe_chain(lock, class_of(held), text);
  }
  report(scheduler, ReportKind::lock_order, text);
}

}  // namespace coldread::held_locks
