// Looks for interleavings of a scenario in which something breaks, and gathers what can come out.
//
// Every run begins anew. What is done with seed S is the same whatever the number of threads.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/explore/strategies.h"
#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::sim {

struct ExploreOptions {
  Profile profile;
  Search search = Search::random;
  unsigned depth = 3;                   // pct
  std::optional<unsigned> preemptions;  // dfs: at most so many
  uint64_t seed = 1;                    // of the first schedule; each further one has the next
  uint64_t schedules = 10'000;          // at most; dfs: of all of them, unless bounded by this
  double seconds = 0;                   // at most; 0: no limit
  unsigned jobs = 1;                    // threads; dfs: one
  uint64_t shard = 0, shards = 1;       // of all schedules those with this remainder
  bool keep_going = false;              // after the first finding
  const std::atomic<bool>* stop = nullptr;
  // Called now and then, by one thread at a time.
  std::function<void(uint64_t schedules, size_t outcomes, size_t findings)> on_progress;
};

// A run that ended in a report which the scenario does not expect, or did not in one it does.
struct Finding {
  std::string kind;  // "use-after-free" ...
  player::RunReport report;
  uint64_t seed = 0;
  uint64_t number = 0;  // of the schedule, from 1
  Schedule schedule;
};

struct ExploreResult {
  uint64_t schedules = 0;  // run
  uint64_t redundant = 0;  // of these, dfs: that were known not to matter
  bool complete = false;   // dfs: there is no further one
  double seconds = 0;
  std::map<std::string, uint64_t> outcomes;  // digest of the transcript -> schedules
  std::vector<Finding> findings;             // by number; one of each kind and text
};

ExploreResult explore(const scenario::Scenario& scenario, const ExploreOptions& options);

// The scenario under one schedule.
player::Transcript replay(const scenario::Scenario& scenario, const Profile& profile,
                          const Schedule& schedule);

// Leaves out of a schedule that leads to a report of `kind` what is not needed for one.
Schedule shrink_schedule(const scenario::Scenario& scenario, const Profile& profile,
                         const std::string& kind, Schedule schedule);

}  // namespace coldread::sim
