// One simulated computer: the modelled kernel with its disk, and the processes of a scenario.
//
// Thread rules: one Machine, one thread. Tasks run on the scheduler's fibers; everything that owns
// memory belongs to the Machine and outlives their stacks. Lifetime: scenario and options outlive
// it.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/kernel/kernel.h"
#include "sim/machine/event_log.h"
#include "sim/machine/model_syscalls.h"
#include "sim/machine/netfs_table.h"
#include "sim/machine/run.h"
#include "sim/player/player.h"
#include "sim/scheduler/scheduler.h"
#include "sim/store/faulty_store.h"
#include "sim/store/freezable_store.h"
#include "sim/store/memory_store.h"

namespace coldread::sim {

class Machine {
 public:
  Machine(const scenario::Scenario& scenario, const Profile& profile, const RunOptions& options);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Boots, plays, gives back what the netfs left, and says what was left behind. Once.
  RunResult run();

  // The same in two parts: to the end of the scenario's setup, or of the run if that comes first,
  // and from there on.
  void play_setup();
  RunResult play_rest();
  // From within a task: lets play_rest() return at once. What stands still can be looked at.
  void stop() { scheduler_.pause(); }

  FiberScheduler& scheduler() { return scheduler_; }
  Kernel& kernel() { return kernel_; }
  MemoryStore& store() { return store_; }
  // What the modelled kernel frees as a whole and `address` is a part of: an object, a cookie, a
  // request ... If there is none, the address.
  const void* whole_of(const void* address);

 private:
  friend class ModelSyscalls;

  struct Process {
    Process(Kernel& kernel, InodeNumber directory)
        : files(kernel), cwd(directory), inbox_wait(kernel.scheduler, "a file from a process") {}
    files_struct files;
    InodeNumber cwd;               // with a reference
    std::deque<FileHandle> inbox;  // in flight to it, each with a reference
    WaitQueue inbox_wait;
    bool gone = false;
    player::ProcessState state;
    unsigned running = 0;  // tasks that have not ended
    bool killed = false;
    std::vector<Task*> tasks;
  };
  // A forked process that does nothing.
  struct Child {
    explicit Child(Kernel& kernel) : files(kernel) {}
    files_struct files;
    bool alive = true;
  };
  struct PlayedTask {
    PlayedTask(Machine& owner, size_t task_index);
    Machine& machine;
    size_t index;
    Task* task = nullptr;  // null once it has ended
    ModelSyscalls syscalls;
    player::TaskPlayer player;
  };
  struct BarrierState {
    unsigned arrived = 0;
    std::unique_ptr<WaitQueue> queue;
  };

  static void play_task(void* played_task);
  static void power_off(void* machine);
  BackingStore& kernel_store();
  void start_tasks();
  void task_ended(Process& process);
  void exit_process(Process& process);
  int end_child(size_t child);  // -ESRCH
  // Ends the current task if its process was killed: does not return then.
  void leave_if_killed(Process& process);
  Process& process_of(size_t task) { return *processes_[scenario_.tasks[task].process]; }

  RunResult collect(const RunEnd& end);
  void collect_records(RunResult& result);
  void collect_outcome(const RunEnd& end, RunResult& result);
  void report_end(const RunEnd& end, RunResult& result) const;
  void report_leaks(RunResult& result);

  const scenario::Scenario& scenario_;
  const RunOptions& options_;
  std::unique_ptr<SchedulingStrategy> strategy_;
  FiberScheduler scheduler_;
  MemoryStore store_;
  FreezableStore freezable_store_;
  FaultyStore faulty_store_;
  EventLog log_;
  Kernel kernel_;
  InodeNumber cache_directory_ = 0;
  std::vector<std::unique_ptr<Process>> processes_;
  std::vector<std::unique_ptr<Child>> children_;  // by the scenario's index; null: not forked yet
  std::vector<std::unique_ptr<PlayedTask>> tasks_;
  std::vector<BarrierState> barriers_;
  NetfsTable netfs_;
  WaitQueue setup_wait_;
  int setup_turn_ = 0;
  bool pauses_ = false;  // at the end of the setup
  RunEnd end_;
  size_t unfinished_ = 0;  // tasks
  size_t serving_ = 0;     // of these, ready-made daemons with nothing to do
  WaitQueue task_end_wait_;
  uint64_t sequence_ = 0;
};

}  // namespace coldread::sim
