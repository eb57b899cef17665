// What the modelled kernel is like at one moment, as a number: for checking that runs repeat
// themselves.
#pragma once

#include <cstdint>

namespace coldread::sim {

class Machine;

// Equal for machines in which tasks, requests, objects, cookies, volumes, caches and the disk are
// alike. Only looks: no preemption point, nothing changes. May be called from within a task. Takes
// time in proportion to all there is; of the disk, to what was changed since the last time.
uint64_t model_state(Machine& machine);

}  // namespace coldread::sim
