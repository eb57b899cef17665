// `coldread bugs --table`: how soon each strategy finds each race, random being the baseline.
#pragma once

#include <string>
#include <vector>

#include "sim/cli/bugs.h"

namespace coldread::cli {

// Hunts those of `bugs` that are races, 20 times with each strategy. `directory`: of the scenarios;
// empty: the project's. The exit code: 0 if some strategy finds each within 10,000 schedules in the
// median, 130 if an interrupt left some out.
int bugs_table(const std::vector<const Bug*>& bugs, const std::string& directory,
               const std::string& format);

}  // namespace coldread::cli
