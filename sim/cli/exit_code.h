// What the process tells its caller in one number; part of the command's interface.
#pragma once

#include <initializer_list>

namespace coldread::cli {

enum ExitCode : int {
  kPassed = 0,
  kWrongAnswer = 1,
  kBadInput = 2,  // usage too
  kBrokenInvariant = 3,
  kHang = 4,
  kEnvironmentFailed = 5,  // guest, mount, an output that cannot be written
  kAllSkipped = 77,
  kInterrupted = 130,  // as shells have it for SIGINT
};

// The one that a command which did several things ends with: what makes the other results worth
// less comes first.
constexpr int worse(int a, int b) {
  for (const int code :
       {kBadInput, kEnvironmentFailed, kBrokenInvariant, kHang, kWrongAnswer, kInterrupted})
    if (a == code || b == code) return code;
  return a == kAllSkipped ? b : a;
}

}  // namespace coldread::cli
