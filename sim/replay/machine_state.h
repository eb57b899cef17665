// A machine that stands still, as lines for people.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/machine/machine.h"

namespace coldread::sim {

// `stacks`: the modelled functions each task is in, by pid.
std::string machine_state(Machine& machine,
                          const std::map<uint32_t, std::vector<std::string>>& stacks);

}  // namespace coldread::sim
