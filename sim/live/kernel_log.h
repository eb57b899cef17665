// What the kernel says about itself in its log: the difference between a wrong answer and a broken
// guest.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace coldread::live {

struct LogFindings {
  std::optional<std::string> fatal;    // the first line of an oops, BUG, KASAN report or panic
  std::optional<std::string> warning;  // the first WARNING
};

// Lines as dmesg shows them, with or without level and time stamp; the findings are without.
LogFindings scan_kernel_log(std::string_view log);

// Everything the kernel logged since the last call, as text; "" without the privilege.
std::string take_kernel_log();

}  // namespace coldread::live
