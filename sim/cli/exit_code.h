// What the process tells its caller in one number; part of the command's interface.
#pragma once

namespace coldread::cli {

enum ExitCode : int {
  kPassed = 0,
  kWrongAnswer = 1,
  kBadInput = 2,  // usage too
  kBrokenInvariant = 3,
  kHang = 4,
  kEnvironmentFailed = 5,  // guest, mount
  kAllSkipped = 77,
  kInterrupted = 130,  // as shells have it for SIGINT
};

}  // namespace coldread::cli
