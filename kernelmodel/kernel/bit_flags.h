// An unsigned long of flags with set_bit() and friends (include/linux/bitops.h) and wait_on_bit()
// (include/linux/wait_bit.h).
#pragma once

#include <cstdint>

#include "kernelmodel/kernel/wait_queue.h"

namespace coldread {

// 64 flags, numbered 0..63. Every operation is atomic and a preemption point. Clearing a flag wakes
// nobody: as in Linux, wake_up_bit() must follow. `name` is a literal.
class BitFlags {
 public:
  BitFlags(Scheduler& scheduler, const char* name, uint64_t initial = 0)
      : scheduler_(scheduler), value_(initial), waiters_(scheduler, name, "wait_on_bit") {}

  void set(unsigned bit) { fetch_or(mask(bit)); }                 // set_bit
  void clear(unsigned bit) { fetch_and(~mask(bit)); }             // clear_bit
  bool test(unsigned bit) { return (value() & mask(bit)) != 0; }  // test_bit
  bool test_and_set(unsigned bit) { return (fetch_or(mask(bit)) & mask(bit)) != 0; }
  bool test_and_clear(unsigned bit) { return (fetch_and(~mask(bit)) & mask(bit)) != 0; }

  uint64_t peek() const { return value_; }  // for traces: not a preemption point
  uint64_t value() {                        // READ_ONCE
    scheduler_.preemption_point(this);
    return value_;
  }

  // Waits until the flag is clear.
  void wait_on_bit(unsigned bit) {
    waiters_.wait_event([this, bit] { return !test(bit); });
  }
  // 0, or -ERESTARTSYS if a fatal signal came and the flag is set.
  int wait_on_bit_killable(unsigned bit) {
    return waiters_.wait_event_killable([this, bit] { return !test(bit); });
  }
  // wait_on_bit_timeout, with an absolute time: false if the flag is still set at the deadline.
  bool wait_on_bit_until(unsigned bit, TimeNs deadline) {
    return waiters_.wait_event_until([this, bit] { return !test(bit); }, deadline);
  }
  // wait_var_event on the flags: waits until ready() is true; looked at again at each
  // wake_up_bit().
  template <typename Ready>
  void wait_until(Ready ready) {
    waiters_.wait_event(ready);
  }

  void wake_up_bit() { waiters_.wake_up_all(); }  // wakes every waiter of every flag
  void clear_and_wake_up(unsigned bit) {          // clear_and_wake_up_bit
    clear(bit);
    wake_up_bit();
  }

 private:
  static constexpr uint64_t mask(unsigned bit) { return uint64_t{1} << bit; }

  uint64_t fetch_or(uint64_t bits) {
    scheduler_.preemption_point(this);
    const uint64_t before = value_;
    value_ |= bits;
    return before;
  }
  uint64_t fetch_and(uint64_t bits) {
    scheduler_.preemption_point(this);
    const uint64_t before = value_;
    value_ &= bits;
    return before;
  }

  Scheduler& scheduler_;
  uint64_t value_;
  WaitQueue waiters_;
};

}  // namespace coldread
