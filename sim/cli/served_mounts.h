// Where `coldread serve` is mounted: for `mount`, which looks for a server, and `umount`.
#pragma once

#include <istream>
#include <string>
#include <vector>

namespace coldread::cli {

// The mountpoints among the lines of a /proc/PID/mountinfo.
std::vector<std::string> served_mounts(std::istream& mountinfo);

// Those that this process sees; nobody looks at what is mounted there, whose server may be dead.
std::vector<std::string> served_mounts();

}  // namespace coldread::cli
