// What a real kernel traces of fscache and cachefiles, in the form in which the model's trace has
// it.
//
// For the guest alone: tracefs belongs to the whole machine.
#pragma once

#include <string>
#include <vector>

#include "sim/result.h"

namespace coldread::live {

// Mounts tracefs and enables the events of cachefiles and fscache, and the console's. Once, as
// root.
Status prepare_kernel_trace();

// Forgets what was traced until now.
Status begin_kernel_trace();

// Everything since, oldest first, as "name: fields" with renumbered ids. An error also if the
// kernel's buffer was too small for it.
Result<std::vector<std::string>> take_kernel_trace();

// A kernel numbers caches, volumes, cookies and objects on from its boot, the model from the run's
// beginning: the lowest number of each kind becomes what a kernel's first one has. Those that stand
// for none stay.
std::vector<std::string> renumbered(std::vector<std::string> lines);

}  // namespace coldread::live
