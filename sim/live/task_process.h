// One process of a scenario, as a real process: a thread for each of its tasks.
#pragma once

#include <string>
#include <vector>

#include "sim/live/board.h"
#include "sim/live/live_syscalls.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

// What the conductor opened for one task before the fork, all at kFirstOwnFd or above.
struct TaskFiles {
  int records = -1;  // a file for record_log.h
  int quiet = -1;    // an eventfd: ends the task's poll(until_quiet)
};

// What the conductor opened for all processes, likewise.
struct SharedFiles {
  int netfs = -1;              // an open /dev/coldread_netfs
  std::vector<Inbox> inboxes;  // by process
  KernelUnderTest kernel;
};

// Plays the tasks of `process` once the board says that all processes exist, and ends the calling
// process: 0, or 1 after an exception. To be called in a fresh child; closes whatever is open below
// kFirstOwnFd, leaves /dev/null as 0, 1 and 2, and keeps no inbox but its own.
[[noreturn]] void play_process(const scenario::Scenario& scenario, size_t process, Board& board,
                               const std::vector<TaskFiles>& files, const SharedFiles& shared,
                               const std::string& cache_directory);

// Closes everything below kFirstOwnFd and opens /dev/null as 0, 1 and 2.
void leave_standard_files_only();

// The file moved to kFirstOwnFd or above, close-on-exec; -1 if it cannot be.
int move_up(int fd);

}  // namespace coldread::live
