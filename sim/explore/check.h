// Whether runs repeat themselves: the same schedule on a machine that is used again and on a fresh
// one, state by state.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/explore/explore.h"

namespace coldread::sim {

// What a run went through: after each decision a number for the state, made of who has touched what
// and of what the modelled kernel was like (model_state()); and RunResult::outcome.
struct Trail {
  std::vector<uint64_t> states;
  uint64_t outcome = 0;
};

// Of one run on a fresh machine. Of the options the profile and daemon_choices count.
Trail trail_of(const scenario::Scenario& scenario, const ExploreOptions& options,
               DecidingStrategy& strategy);

// Where two runs part, as a sentence; nothing: they are alike.
std::optional<std::string> difference_between(const Trail& one, const Trail& other);

struct DeterminismCheck {
  uint64_t schedules = 0;                 // played twice
  std::optional<std::string> difference;  // the first, with its seed
};

// Called twice for each seed.
using MakeStrategy = std::function<std::unique_ptr<DecidingStrategy>(uint64_t seed)>;

// Plays as many schedules as the options say, each twice, until they differ or options.stop is set.
// `make`: other strategies than the options name; null: those.
DeterminismCheck check_determinism(const scenario::Scenario& scenario,
                                   const ExploreOptions& options, const MakeStrategy& make = {});

}  // namespace coldread::sim
