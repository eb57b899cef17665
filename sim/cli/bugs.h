// The catalogue of known bugs and changes, and looking for one of them in a profile.
//
// The facts are kernelmodel/bugs.json, which is part of the program; what fixed a bug, and when, is
// the change of the same name (kernelmodel/profile.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/explore/explore.h"
#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::cli {

struct Bug {
  std::string id;  // the change that fixed it, or a name of its own
  std::string cve;
  std::string kind;     // "bug", "change" (of behaviour, no mistake), "unfixed"
  std::string summary;  // one line: what its fix did, or if there is none, what is wrong
  // How it shows: a report's kind, or "wrong-answer": other answers than a kernel without it gives.
  std::string shows;
  bool race = false;                      // only some interleavings show it
  sim::Search search = sim::Search::pos;  // race: the strategy that finds it soonest
  std::vector<std::string> profiles;      // that have it, oldest first; none: see below
  // No profile has it: the one that shows it once the fix is taken out.
  std::string taken_out_of;
  std::string scenario;             // below the directory of scenarios
  const ChangeInfo* fix = nullptr;  // null: unfixed
  // Unfixed: the one of own_changes() that would mend it; null: nobody has written one.
  const ChangeInfo* mending = nullptr;
};

// In the order in which they were fixed; the unfixed ones last.
const std::vector<Bug>& all_bugs();
const Bug* find_bug(std::string_view id);  // null: no such bug

// A profile, and how it is asked for: "6.12.117 --with withdraw-volume-once ...".
struct SoundProfile {
  Profile profile;
  std::string name;
};

// The newest profile that has it, or is made to have it; and the default one that has it not, or is
// made not to have it, or else the newest one that has it not (nothing: all do). Of a race, with
// all that would mend what nobody has mended: its scenario may show that, too.
Profile profile_with(const Bug& bug);
std::optional<SoundProfile> profile_without(const Bug& bug);

// random, pct or pos; anything else: random.
sim::Search search_named(const std::string& name);

// Where their scenarios are: `directory`, or if that is empty the project's.
Result<std::string> scenarios_of_bugs(const std::string& directory);
Result<scenario::Scenario> load_bug_scenario(const std::string& directory, const Bug& bug);

struct Hunt {
  bool found = false;
  std::string strategy;    // that found it, or the last one tried: "fifo", "pct" ...
  uint64_t schedules = 0;  // tried, with the one that found it
  uint64_t seed = 0;       // of that one
  double seconds = 0;
};

struct HuntOptions {
  sim::Search search = sim::Search::pos;  // of a race; not dfs
  uint64_t limit = 10'000;                // schedules
  uint64_t first_seed = 1;
  const std::atomic<bool>* stop = nullptr;  // once it is set, nothing more is tried
};

// Plays the scenario in `profile` until the bug shows: if it is none that takes a race, first in,
// first out; else with seeds from the first on, at most `limit` schedules. `sound` is the name of a
// profile that has not got the bug: its answers are the right ones. Empty: all have it, and it
// shows if all goes as the scenario says.
Hunt hunt(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
          std::string_view sound, const HuntOptions& options);

// Plays as many schedules where the bug is not: true if each is as the scenario expects it there,
// or makes no report where one is expected of the kernel as it is.
bool silent(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
            const HuntOptions& options);

}  // namespace coldread::cli
