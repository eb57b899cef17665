// The program inside a guest: its first process, which plays the scenarios and switches the guest
// off.
#pragma once

#include <string>

namespace coldread::live {

// What `coldread guest JOB` does (job.h). Mounts what a scenario needs, loads the netfs module,
// plays one scenario after the other and powers the machine off; hence it refuses to run as
// anything but process 1. Returns only then, with 2, or if the power does not go off, with 1.
int run_guest(const std::string& job_path);

}  // namespace coldread::live
