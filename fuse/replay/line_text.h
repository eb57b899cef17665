// Lines of a recording for people: `coldread run RECORDING -v`.
#pragma once

#include <string>

#include "fuse/record/tape.h"

namespace coldread::fuse {

// Empty for what only concerns the scheduler: helpers, timers, fibers that begin fibers.
// "      12    0.001234  cat-4711: read 1031 offset=0 size=4096"
std::string input_text(const Json& line);
// Empty for tracepoints.
// "                        answer to 3: message READ id=1 ..."
std::string answer_text(const Json& line);

}  // namespace coldread::fuse
