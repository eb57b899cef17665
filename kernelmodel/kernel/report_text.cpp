#include "kernelmodel/kernel/report_text.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "kernelmodel/ports/scheduler.h"

namespace coldread {

ReportText& ReportText::operator<<(std::string_view text) {
  const size_t size = std::min(text.size(), kCapacity - size_);
  std::memcpy(text_ + size_, text.data(), size);
  size_ += size;
  return *this;
}

ReportText& ReportText::operator<<(uint64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number);
  return *this << std::string_view(digits, static_cast<size_t>(end.ptr - digits));
}

ReportText& ReportText::operator<<(int64_t number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number);
  return *this << std::string_view(digits, static_cast<size_t>(end.ptr - digits));
}

void report(Scheduler& scheduler, ReportKind kind, const ReportText& text) {
  scheduler.broken(kind, text);
  std::abort();
}

}  // namespace coldread
