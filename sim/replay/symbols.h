// The names of the modelled kernel's functions on a task's stack.
//
// They come from the program's own symbol table, so that the model need not say where it is. A
// program without one (stripped), or functions that the compiler folded into their callers, have no
// names here.
//
// Thread rules: any thread.
#pragma once

#include <string>
#include <vector>

namespace coldread::sim {

// The modelled functions that are being called on this very stack, outermost first:
// "cachefiles_ondemand_daemon_read", "xa_..." are as in Linux. Methods and helpers of the simulator
// are left out.
std::vector<std::string> modelled_functions();

}  // namespace coldread::sim
