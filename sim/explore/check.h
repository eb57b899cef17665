// Whether runs repeat themselves: the same schedule on a machine that is used again and on a fresh
// one, state by state.
#pragma once

#include <optional>
#include <string>

#include "sim/explore/explore.h"

namespace coldread::sim {

// Plays as many schedules as the options say, each twice. Nothing: all went alike; else the first
// difference, as a sentence.
std::optional<std::string> check_determinism(const scenario::Scenario& scenario,
                                             const ExploreOptions& options);

}  // namespace coldread::sim
