// What this machine lets a supervisor do, found out by trying it on short-lived children.
//
// Nothing stays behind. Threads: any, but a process with threads forks here. Each takes some
// milliseconds at most.
#pragma once

#include <string>

namespace coldread::fuse {

struct Probe {
  bool works = false;
  std::string text;  // how, or why not and what it would take
};

Probe probe_mounting();     // a FUSE file system, as the user that asks
Probe probe_listener();     // a seccomp filter with a listener
Probe probe_memory();       // writing to a child's memory
Probe probe_redirection();  // tracing a child: reads at numbers that are not watched
Probe probe_descriptors();  // where the device would be, with the present limit

}  // namespace coldread::fuse
