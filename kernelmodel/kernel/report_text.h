// The text of a report, put together on the stack: a report ends the run without unwinding, so what
// builds it may own nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernelmodel/kernel/report.h"

namespace coldread {

class Scheduler;

// Longer texts are cut off.
class ReportText {
 public:
  ReportText& operator<<(std::string_view text);
  ReportText& operator<<(uint64_t number);
  ReportText& operator<<(int64_t number);
  ReportText& operator<<(uint32_t number) { return *this << uint64_t{number}; }
  ReportText& operator<<(int number) { return *this << int64_t{number}; }

  std::string_view view() const { return {text_, size_}; }
  operator std::string_view() const { return view(); }  // NOLINT(*-explicit-*)

 private:
  static constexpr size_t kCapacity = 1024;
  char text_[kCapacity];
  size_t size_ = 0;
};

// Ends the run: scheduler.broken(), in a form that g++ believes does not return.
[[noreturn]] void report(Scheduler& scheduler, ReportKind kind, const ReportText& text);

}  // namespace coldread
