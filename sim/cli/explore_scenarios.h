// What `coldread explore` does with its options.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/machine/changes.h"

namespace coldread::cli {

struct ExploreRequest {
  std::vector<std::string> paths;  // files and directories; empty: the project's scenarios
  std::string kernel;              // empty: the last one each scenario lists
  sim::Changes changes;            // of it
  std::string strategy = "random";
  unsigned depth = 3;
  std::optional<unsigned> preemptions;
  std::optional<uint64_t> schedules;  // of each scenario
  double seconds = 0;                 // for each scenario; 0: no limit
  uint64_t seed = 1;
  unsigned jobs = 0;  // 0: one per CPU
  uint64_t shard = 0;
  uint64_t shards = 1;
  bool keep_going = false;
  bool outcomes = false;
  bool daemon_choices = false;
  bool check = false;
  std::string save;  // file for the first finding; empty: none
  std::string format = "text";
};

// The exit code: 0 nothing was found but what scenarios expect, 3 or 4 something was.
int explore_scenarios(const ExploreRequest& request);

}  // namespace coldread::cli
