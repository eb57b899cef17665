// What `coldread run` was asked for: its options after parsing and checking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/explore/schedule.h"
#include "sim/machine/changes.h"
#include "sim/machine/run.h"

namespace coldread::cli {

enum class Target : uint8_t { sim, fuse, kernel };
enum class Format : uint8_t { text, json, junit };

inline constexpr uint64_t kDefaultSeed = 1;
inline constexpr unsigned kDefaultHangAfter = 5;  // seconds

struct RunRequest {
  std::vector<std::string> paths;  // files and directories; empty: the project's scenarios
  Target on = Target::sim;
  std::string kernel;    // a profile's name; empty: all that a scenario lists
  sim::Changes changes;  // of each profile
  uint64_t seed = kDefaultSeed;
  sim::Strategy strategy = sim::Strategy::fifo;
  std::optional<sim::Schedule> schedule;  // instead of strategy and seed
  bool daemon_choices = false;            // of it
  Format format = Format::text;
  unsigned jobs = 0;        // files at once; 0: as many as make sense here
  std::string filter;       // empty: everything
  std::string trace;        // file; empty: no trace
  std::string transcripts;  // directory; empty: none written
  std::string recorded;     // directory of recordings to compare with; empty: none
  unsigned hang_after = kDefaultHangAfter;
  bool compare = false;
  bool verbose = false;
};

const char* target_name(Target target);
const char* strategy_name(sim::Strategy strategy);

// As one word of a shell's.
std::string shell_quoted(const std::string& word);

// The command line that runs one scenario under one profile again, ready for a shell.
std::string repeat_command(const RunRequest& request, const std::string& path,
                           const std::string& profile);

}  // namespace coldread::cli
