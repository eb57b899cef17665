// Runs a program that finds /dev/cachefiles, over a mount of its own.
#pragma once

#include <string>
#include <vector>

#include "kernelmodel/profile.h"

namespace coldread::cli {

struct ExecRequest {
  std::vector<std::string> words;  // the program and its arguments; not empty
  std::string kernel = std::string(kDefaultProfile);
  bool watch_all = false;    // fuse::kWatchAll
  bool direct = false;       // the cache with O_DIRECT
  bool host_mounts = false;  // what it mounts is seen outside
  std::string mountpoint;    // an existing directory; empty: a temporary one
  std::string record;        // a file that is written; empty: nothing is recorded
};

// Prints what is wrong, if anything, to standard error; the exit code. Once in a process that has
// no other threads.
int exec_program(const ExecRequest& request);

}  // namespace coldread::cli
