// The kernel that a live run talks to: this machine's own, or the modelled one behind a mount.
//
// What differs is where its files begin and whose threads are at work for it. Thread rules: any;
// calls on a mounted model's files block like any other use of the mount.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/kernel/memory.h"
#include "sim/live/proc_state.h"
#include "sim/result.h"

namespace coldread::live {

struct KernelUnderTest {
  std::string root;     // what its /proc lies below: "", or where the model is mounted
  pid_t server = 0;     // the process the model runs in; 0: this machine's kernel
  bool traced = false;  // this machine's kernel alone, after prepare_kernel_trace()

  // True if nobody in it wants to run: whatever its workers are about, they wait for somebody else.
  bool rests(ThreadStates& states) const;
  // Who waits for something they were working at, one line each; a model's /requests, and those of
  // its server's threads that do not sleep.
  std::vector<std::string> waiting() const;

  // The lines of fscache's tables of caches, volumes and cookies, without headings.
  std::vector<std::string> fscache_tables() const;

  // Everything it logged since the last call; a mounted model's server keeps its own log: "".
  std::string take_log() const;

  // begin_trace() forgets what it traced until then; take_trace() is all it traced since, none if
  // it is not traced.
  Status begin_trace() const;
  Result<std::optional<std::vector<std::string>>> take_trace() const;

  // Sets its error injection (scenario::kInject*): 0 or a negative errno, -ENOENT: built without.
  int64_t inject_errors(uint32_t errors) const;

  // Its next allocation of this kind fails, once; none: none does. 0 or a negative errno, -ENOENT:
  // built without CONFIG_FAILSLAB, -ENOSYS: a mounted model, which cannot be told.
  int64_t fail_allocation(Allocation what) const;

  // All of a file of /proc/fs/fscache: 0 or a negative errno.
  int64_t read_proc(const std::string& file, std::string* text) const;
};

}  // namespace coldread::live
