// One scenario inside a guest: starts its processes, grants settles, finds hangs, gathers the
// transcript.
//
// The conductor is a process of its own, apart from the scenario's: it alone looks into /proc, so
// the scenario's processes open nothing that would move their file descriptors' numbers.
#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "sim/live/board.h"
#include "sim/live/task_process.h"
#include "sim/player/transcript.h"
#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

struct PlayOptions {
  std::string cache_directory;  // exists and is empty
  std::string work_directory;   // for the records' files; a tmpfs
  int netfs = -1;               // an open /dev/coldread_netfs at kFirstOwnFd or above
  int hang_after_ms = 5000;     // no task gets on for so long: a hang
  KernelUnderTest kernel;
};

struct Played {
  player::Transcript transcript;  // "kernel" is left empty
  bool clean = true;  // false: something was left behind, this guest is not to be trusted
};

// Plays `scenario` and returns when it is over and everything is put away, or when it hangs. An
// error is the environment's: a player that crashed, an oops of the kernel, a disk that cannot be
// read. Needs root, and a single-threaded caller: it forks.
Result<Played> play_scenario(const scenario::Scenario& scenario, const PlayOptions& options);

class Conductor {
 public:
  Conductor(const scenario::Scenario& scenario, const PlayOptions& options);
  ~Conductor();
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;

  Result<Played> play();

 private:
  Status open_files();
  Status open_inboxes();
  void close_inboxes();
  Status start_processes();
  Status run();  // until all processes are gone, or report is set
  Status reap();
  void grant();
  bool everybody_waits() const;
  bool process_waits(size_t process) const;
  bool task_waits(size_t task) const;
  bool goes_on_by_itself(size_t task) const;
  bool hangs();
  player::RunReport describe_hang() const;
  std::string describe_task(size_t task) const;
  bool end_children();  // one at a time; true once none is left
  void end_processes();
  void put_away();  // reset of the module, until fscache has nothing left
  bool lets_go();
  void gather_records();
  Status gather_events();

  bool alive(size_t process) const { return board_->pids[process] != 0; }
  bool any_alive() const;
  bool task_over(size_t task) const;
  bool all_over(size_t process) const;
  std::vector<player::Record> records_of(size_t task) const;

  const scenario::Scenario& scenario_;
  const PlayOptions& options_;
  SharedBoard board_;
  std::vector<TaskFiles> files_;
  SharedFiles shared_;
  std::set<size_t> killed_;  // processes that died of it
  Played played_;
  mutable ThreadStates states_;
  uint64_t seen_progress_ = 0;
  std::chrono::steady_clock::time_point progress_at_;  // somebody got on
  std::chrono::steady_clock::time_point busy_at_;      // somebody was seen at work
  int calm_samples_ = 0;
  uint64_t calm_progress_ = 0;
};

}  // namespace coldread::live
