// Starts a command under a seccomp filter and waits for everything that it starts.
//
// The filter's listener comes from the child by SCM_RIGHTS. The command gets SIGTERM when the
// thread that started it ends; whoever does not listen gets ENOSYS from calls that are looked at
// and ENOTCONN from the device: errors, but no hang.
//
// Threads: one command at a time, by one thread, which outlives it. run() waits for every child of
// the process, so there must be no others meanwhile.
#pragma once

#include <linux/filter.h>
#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "sim/result.h"

namespace coldread::fuse {

// While it lives, signals that end programs are kept for the command: SIGINT, SIGQUIT, SIGTERM,
// SIGHUP; and SIGUSR1, for ourselves. To be made before any other thread is, since those inherit
// what is blocked.
class KeptSignals {
 public:
  KeptSignals();
  ~KeptSignals();
  KeptSignals(const KeptSignals&) = delete;
  KeptSignals& operator=(const KeptSignals&) = delete;

  int fd() const { return fd_; }                      // readable when one came (signalfd)
  const sigset_t& before() const { return before_; }  // what was blocked before

 private:
  sigset_t before_{};
  int fd_;
};

class Command {
 public:
  // What the command sees of the file system.
  struct View {
    // What it mounts, and what others do there, nobody else sees, and it goes with the command.
    // Where that is not allowed it sees what we see.
    bool private_mounts = false;
    // What takes the place of /dev/kmsg there; empty: nothing. If it is a file of our own mount,
    // somebody has it open (O_PATH), so that nobody is asked for it.
    std::string kmsg = {};
  };
  // An error is the environment's: no process, no filter, another listener in the way (EBUSY).
  static Result<Command> start(const std::vector<std::string>& words,
                               const std::vector<sock_filter>& filter, const KeptSignals& signals,
                               const View& view);
  static Result<Command> start(const std::vector<std::string>& words,
                               const std::vector<sock_filter>& filter, const KeptSignals& signals) {
    return start(words, filter, signals, View());
  }

  pid_t pid() const { return pid_; }
  // The listener; the caller closes it.
  int listener() const { return listener_; }
  // 0, or the errno with which the program could not be executed.
  int exec_error() const { return exec_error_; }

  // Waits until the command and everything it left behind has ended; signals that come meanwhile go
  // to the command, or, when that is gone, to what it left behind. Those of a terminal's keys went
  // to all of them anyway. The command's status as a shell has it: its own, 128 + N for signal N,
  // 127 for a program that is not there and 126 for one that cannot be executed. `on_usr1` is
  // called for each SIGUSR1; it may be null.
  int wait(const KeptSignals& signals, const std::function<void()>& on_usr1 = nullptr) const;

 private:
  pid_t pid_ = -1;
  int listener_ = -1;
  int exec_error_ = 0;
};

}  // namespace coldread::fuse
