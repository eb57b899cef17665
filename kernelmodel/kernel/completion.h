// struct completion (include/linux/completion.h): a task waits until another says it is done.
#pragma once

#include <cstdint>

#include "kernelmodel/kernel/wait_queue.h"

namespace coldread {

// Counts: every complete() lets one wait through, before or after it; complete_all() lets everyone
// through until reinit(). complete() and complete_all() may be called from a timer's fn. `name` is
// a literal and shown if the wait never ends. Waits report sleeping_in_atomic under a spin lock.
class Completion {
 public:
  Completion(Scheduler& scheduler, const char* name);

  void complete();
  void complete_all();

  void wait();  // wait_for_completion
  // wait_for_completion_killable: 0, or -ERESTARTSYS if a fatal signal came and it is not complete.
  int wait_killable();

  bool done();    // completion_done: a wait would not block; a preemption point
  void reinit();  // reinit_completion: nobody may be waiting

  // Whether `task` waits for it: for who looks on, no preemption point.
  bool waited_for_by(const Task& task) const;

 private:
  static constexpr uint32_t kAll = UINT32_MAX;

  bool take();

  Scheduler& scheduler_;
  WaitQueue waiters_;
  uint32_t done_ = 0;
};

}  // namespace coldread
