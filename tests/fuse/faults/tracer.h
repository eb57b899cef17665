// Kills a process at the Nth edge of its system calls, counted over all its threads: each call has
// two, before and after. So it needs no code of its own for being killed.
//
// One thread uses it, whose child the process is.
#pragma once

#include <sys/types.h>

#include <set>

namespace coldread::faults {

bool tracing_is_allowed();

class Tracer {
 public:
  // False: this machine does not allow it.
  bool attach(pid_t process);
  // Lets it run, and kills it at edge number `last`, or when the child `until` has ended. Neither
  // process is there any more, nor to be waited for. The edges there were.
  long run(long last, pid_t until);

 private:
  bool seize_new_threads();
  void go_on(pid_t thread, int signal) const;

  pid_t process_ = -1;
  std::set<pid_t> threads_;
};

}  // namespace coldread::faults
