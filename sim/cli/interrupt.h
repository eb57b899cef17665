// Ctrl-C: finish what is under way, print what there is, end.
#pragma once

#include <atomic>

namespace coldread::cli {

// The first SIGINT (or SIGTERM) sets the flag, the second ends the process as if nothing were
// installed. One for the process, since signals are.
const std::atomic<bool>& catch_interrupts();

}  // namespace coldread::cli
