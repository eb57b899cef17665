// Numbers of things in sentences: "1 schedule", "2 schedules".
#pragma once

#include <fmt/core.h>

#include <string>

namespace coldread {

template <typename Number>
std::string counted(Number number, const char* thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

}  // namespace coldread
