// What /proc tells of a thread that waits for one of our answers.
//
// Each reads files of /proc, which does not wait for our own mount. Any thread.
#pragma once

#include <cstdint>
#include <string>

namespace coldread::fuse {

// fatal_signal_pending(): SIGKILL, or a signal that ends the process, is on its way to it; or it is
// gone. FUSE says that a signal came, not which. `pid` 0 (it is in another pid namespace): true.
bool fatal_signal_pending(uint32_t pid);

// It has CAP_SYS_ADMIN, as the modelled kernel's capable() asks: in this process' user namespace,
// not in one of its own, in which everybody has it. Without such a thread: false.
bool has_sys_admin(uint32_t pid);

// It has that, or is of this very process.
bool may_administrate(uint32_t pid);

// "cat"; "?" if it is gone, and for each byte that is no printable ASCII.
std::string command_of(uint32_t pid);

}  // namespace coldread::fuse
