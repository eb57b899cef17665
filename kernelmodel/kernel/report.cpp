// The words that scenarios and reports use.
#include "kernelmodel/kernel/report.h"

namespace coldread {

const char* report_kind_name(ReportKind kind) {
  switch (kind) {
    case ReportKind::none:
      return "none";
    case ReportKind::use_after_free:
      return "use-after-free";
    case ReportKind::out_of_bounds:
      return "out-of-bounds";
    case ReportKind::null_dereference:
      return "null-dereference";
    case ReportKind::warning:
      return "warning";
    case ReportKind::refcount:
      return "refcount";
    case ReportKind::leak:
      return "leak";
    case ReportKind::answered_twice:
      return "answered-twice";
    case ReportKind::never_answered:
      return "never-answered";
    case ReportKind::lock_order:
      return "lock-order";
    case ReportKind::sleeping_in_atomic:
      return "sleeping-in-atomic";
    case ReportKind::hang:
      return "hang";
    case ReportKind::unwritten_data:
      return "unwritten-data";
    case ReportKind::stack_overflow:
      return "stack-overflow";
  }
  return "unknown";
}

}  // namespace coldread
