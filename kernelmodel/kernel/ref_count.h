// refcount_t (include/linux/refcount.h): a count of references that must never come back from zero.
#pragma once

#include "kernelmodel/kernel/atomic_count.h"  // IWYU pragma: export
#include "kernelmodel/ports/scheduler.h"

namespace coldread {

// Every operation is a preemption point. Reports ReportKind::refcount for get() at zero and for
// put() at zero. `name` is a literal, the kernel's: "cookie->ref".
class RefCount {
 public:
  RefCount(Scheduler& scheduler, const char* name, int initial)
      : scheduler_(scheduler), name_(name), value_(initial) {}

  // refcount_inc. `before`, if given, receives the count before (as __refcount_inc's oldp).
  void get(int* before = nullptr) {
    const int old = step(before);
    if (old <= 0) [[unlikely]]
      report("taken when it was", old);
    value_ = old + 1;
  }

  // refcount_inc_not_zero: false, and nothing taken, at zero.
  bool inc_not_zero(int* before = nullptr) {
    const int old = step(before);
    if (old == 0) return false;
    value_ = old + 1;
    return true;
  }

  // refcount_dec_and_test: true for whoever dropped the last one.
  bool put(int* before = nullptr) {
    const int old = step(before);
    if (old <= 0) [[unlikely]]
      report("dropped when it was", old);
    value_ = old - 1;
    return value_ == 0;
  }

  int read() { return step(nullptr); }
  int peek() const { return value_; }  // for traces: not a preemption point

 private:
  int step(int* before) {
    scheduler_.preemption_point(this);
    if (before != nullptr) *before = value_;
    return value_;
  }
  [[noreturn]] void report(const char* what, int value) const;

  Scheduler& scheduler_;
  const char* name_;
  int value_;
};

}  // namespace coldread
