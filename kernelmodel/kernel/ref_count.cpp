#include "kernelmodel/kernel/ref_count.h"

#include "kernelmodel/kernel/report_text.h"

namespace coldread {

void RefCount::report(const char* what, int value) const {
  ReportText text;
  text << "the reference count " << name_ << " was " << what << " " << value;
  if (scheduler_.current() != nullptr) text << ", by " << scheduler_.current()->name;
  coldread::report(scheduler_, ReportKind::refcount, text);
}

}  // namespace coldread
