#include "sim/scenario/errno_names.h"

#include <cstring>

namespace coldread {
namespace {

constexpr int kHighestNamed = 133;  // EHWPOISON

}  // namespace

std::string errno_name(int64_t negative_errno) {
  if (negative_errno < 0 && negative_errno >= -kHighestNamed)
    if (const char* name = strerrorname_np(static_cast<int>(-negative_errno)); name != nullptr)
      return name;
  return "E" + std::to_string(negative_errno < 0 ? 0 - static_cast<uint64_t>(negative_errno)
                                                 : static_cast<uint64_t>(negative_errno));
}

std::optional<int> errno_number(std::string_view name) {
  for (int number = 1; number <= kHighestNamed; ++number)
    if (const char* known = strerrorname_np(number); known != nullptr && name == known)
      return number;
  return std::nullopt;
}

}  // namespace coldread
