#include "kernelmodel/kernel/report_text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

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

}  // namespace coldread
