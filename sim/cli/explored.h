// What exploring one scenario came to: as text for people, as a line of JSON for programs, and
// added up from the parts that several machines did.
//
// Thread rules: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/explore/explore.h"
#include "sim/machine/changes.h"
#include "sim/result.h"

namespace coldread::cli {

// What was explored, and how. Parts with equal ones belong together.
struct Exploration {
  std::string path;    // the scenario's
  std::string kernel;  // a profile's name
  sim::Changes changes;
  std::string strategy;
  unsigned depth = 0;                   // of pct
  std::optional<unsigned> preemptions;  // of dfs
  uint64_t seed = 0;
  uint64_t shards = 1;
  bool daemon_choices = false;

  bool operator==(const Exploration&) const = default;
};

struct Explored {
  Exploration exploration;
  std::set<uint64_t> done;           // shards
  sim::ExploreResult result;         // schedules of findings with all left out that is not needed
  std::vector<std::string> columns;  // of each finding, as sim::columns() draws it; may be missing
};

// The command that repeats one schedule.
std::string repeat_command(const Exploration& exploration, const sim::Schedule& schedule);

std::string explored_text(const Explored& explored, bool with_outcomes);

// One line, without newline.
std::string explored_json(const Explored& explored);
// The inverse but for the columns. The error names `place` (a file and line), the JSON pointer and
// what was expected.
Result<Explored> parse_explored(const std::string& place, const std::string& line);

// An error: not of the same exploration, or a shard is in both.
Status merge_explored(Explored& into, Explored part);

// The exit code that its findings make: 0, 3 or 4; 130 if it was interrupted and has none.
int exit_code_of(const Explored& explored);

}  // namespace coldread::cli
