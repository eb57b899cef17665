// The kinds of broken invariants the model finds in itself: what KASAN, lockdep, the hung-task
// detector and a careful reader would say.
#pragma once

#include <cstdint>

namespace coldread {

enum class ReportKind : uint8_t {
  none,
  use_after_free,      // a handle whose generation is gone (as KASAN)
  out_of_bounds,       // memory beyond an object's end (as KASAN)
  null_dereference,    // an oops
  warning,             // WARN_ON, BUG_ON, a failed assertion of the kernel's
  refcount,            // a count below zero, or revived from zero
  leak,                // an object, request, fd or id left over at the end
  answered_twice,      // a request completed more than once
  never_answered,      // a request that nobody can answer any more
  lock_order,          // two locks taken in both orders (as lockdep)
  sleeping_in_atomic,  // blocked while holding a spin lock
  hang,                // nobody can run and somebody waits
  unwritten_data,      // a reader saw a byte that nobody wrote
  stack_overflow,      // a fiber overran its stack: the model's own fault
};

// The stable word used in scenarios and reports: "use-after-free", "hang" ...
const char* report_kind_name(ReportKind kind);

}  // namespace coldread
