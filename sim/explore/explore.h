// Looks for interleavings of a scenario in which something breaks, and gathers what can come out.
//
// Every run begins at the end of the scenario's setup. What is done with seed S is the same
// whatever the number of threads.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/explore/distinct_count.h"
#include "sim/explore/strategies.h"
#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::sim {

struct ExploreProgress {
  uint64_t schedules = 0;
  double seconds = 0;
  uint64_t states = 0;  // about
  size_t outcomes = 0;
  size_t findings = 0;
};

// A way in which runs ended, and the first schedule that did.
struct Outcome {
  uint64_t schedules = 0;
  uint64_t number = 0;
  uint64_t seed = 0;
  Schedule schedule;
};

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
  bool daemon_choices = false;          // ready-made daemons misbehave
  const std::atomic<bool>* stop = nullptr;
  // Reports that are none: what the scenario expects. May be called by several threads; null: none.
  std::function<bool(const player::RunReport& report)> is_expected;
  // Called about ten times a second, by one thread at a time.
  std::function<void(const ExploreProgress& progress)> on_progress;
};

// A run that ended in a report.
struct Finding {
  std::string kind;  // "use-after-free" ...
  player::RunReport report;
  bool expected = false;
  uint64_t seed = 0;
  uint64_t number = 0;  // of the schedule, from 1
  Schedule schedule;
};

struct ExploreResult {
  uint64_t schedules = 0;    // run
  uint64_t redundant = 0;    // of these, dfs: that were known not to matter
  bool complete = false;     // dfs: there is no further one
  bool interrupted = false;  // ExploreOptions::stop ended it
  double seconds = 0;
  uint64_t decisions = 0;                // of all schedules together
  DistinctCount states;                  // that decisions were taken in
  std::map<uint64_t, Outcome> outcomes;  // by RunResult::outcome
  std::vector<Finding> findings;         // by number; one of each kind and text
};

// Adds what another part of the same exploration found.
void merge_results(ExploreResult& into, ExploreResult part);

ExploreResult explore(const scenario::Scenario& scenario, const ExploreOptions& options);

// How a run goes under one schedule, by a fresh machine, which writes everything down.
player::Transcript replay(const scenario::Scenario& scenario, const Profile& profile,
                          const Schedule& schedule, bool daemon_choices = false);

// Leaves out of a schedule that leads to a report that is wanted what is not needed for one. Once
// `stop` is set, the shortest so far; null: nobody stops it.
Schedule shrink_schedule(const scenario::Scenario& scenario, const Profile& profile,
                         const std::function<bool(const player::RunReport&)>& is_wanted,
                         Schedule schedule, bool daemon_choices = false,
                         const std::atomic<bool>* stop = nullptr);

}  // namespace coldread::sim
