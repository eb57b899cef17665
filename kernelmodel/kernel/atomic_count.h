// atomic_t and atomic_long_t (include/linux/atomic.h): shared numbers without an opinion on their
// values.
#pragma once

#include <cstdint>

#include "kernelmodel/ports/scheduler.h"

namespace coldread {

// Every operation is atomic and a preemption point; none reports anything. Names are atomic_t's.
template <typename Int>
class AtomicNumber {
 public:
  explicit AtomicNumber(Scheduler& scheduler, Int initial = 0)
      : scheduler_(scheduler), value_(initial) {}

  Int read() { return shared(); }
  Int peek() const { return value_; }  // for traces: not a preemption point
  void set(Int value) { shared() = value; }
  void inc() { shared()++; }
  void dec() { shared()--; }
  void add(Int amount) { shared() += amount; }
  Int inc_return() { return ++shared(); }
  Int dec_return() { return --shared(); }
  Int add_return(Int amount) { return shared() += amount; }
  bool dec_and_test() { return --shared() == 0; }

  Int xchg(Int value) {
    Int& shared_value = shared();
    const Int before = shared_value;
    shared_value = value;
    return before;
  }

  // Stores `value` if it was `expected`; returns what it was.
  Int cmpxchg(Int expected, Int value) {
    Int& shared_value = shared();
    const Int before = shared_value;
    if (before == expected) shared_value = value;
    return before;
  }

  // These return whether they changed it.
  bool inc_not_zero() { return shared() != 0 && (++value_, true); }
  bool inc_unless_negative() { return shared() >= 0 && (++value_, true); }
  bool dec_if_positive() { return shared() > 0 && (--value_, true); }

 private:
  Int& shared() {
    scheduler_.preemption_point(this);
    return value_;
  }

  Scheduler& scheduler_;
  Int value_;
};

using AtomicCount = AtomicNumber<int>;     // atomic_t
using AtomicLong = AtomicNumber<int64_t>;  // atomic_long_t

}  // namespace coldread
