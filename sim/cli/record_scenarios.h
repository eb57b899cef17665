// A whole `coldread record`: asks real kernels and writes down what they answered.
#pragma once

#include <string>
#include <vector>

namespace coldread::cli {

struct RecordRequest {
  std::vector<std::string> paths;  // files and directories; empty: the project's scenarios
  std::string into;                // directory of recordings (sim/recordings/recordings.h)
  std::string kernel;              // a profile's name; empty: all that a scenario lists
  std::string filter;              // empty: everything
  unsigned repeat = 20;            // how often a race is played
  unsigned hang_after = 5;         // seconds
  bool missing = false;            // only what is not recorded yet, or changed
};

// Prints a line for each scenario and kernel, errors and progress to standard error; returns the
// exit code. What was recorded until an interruption or failure is kept. Takes over SIGINT and
// SIGTERM.
int record_scenarios(const RecordRequest& request);

}  // namespace coldread::cli
