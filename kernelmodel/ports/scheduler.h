// The port through which the modelled kernel runs: tasks, blocking, timers and the end of a run.
//
// The model never creates a thread and never waits for real. Whoever hosts it (sim/ on a virtual
// clock, fuse/ on the real one) implements this class; everything in kernelmodel/kernel/ is built
// on it. All tasks of one Scheduler run on one thread: between two calls into this port nothing
// else runs, and every call into it is a point at which another task may run first.
//
// Thread rules: one Scheduler, one thread. Lifetime: the Scheduler outlives every Task and Timer.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string_view>

#include "kernelmodel/kernel/lockdep.h"
#include "kernelmodel/kernel/report.h"

namespace coldread {

// Nanoseconds of CLOCK_MONOTONIC as the modelled kernel sees it; starts at 0 with the run.
using TimeNs = uint64_t;
inline constexpr TimeNs kNsPerMs = 1'000'000;
inline constexpr TimeNs kNsPerSecond = 1'000'000'000;

enum class TaskState : uint8_t { runnable, running, waiting, finished };

// Why a task waits; shown when the wait never ends. Both strings are literals.
struct WaitReason {
  const char* kind = "";       // "mutex", "completion", "wait queue" ...
  const char* name = "";       // the kernel's name of the thing: "cache->daemon_mutex"
  bool killable = false;       // a fatal signal ends the wait (TASK_KILLABLE)
  bool idle = false;           // a worker without work: never counted as hung
  bool interruptible = false;  // any signal ends the wait (TASK_INTERRUPTIBLE)
  // What the task touches first when the wait is over, as for preemption_point(); null: not known.
  const void* object = nullptr;
};

struct files_struct;  // a process' open files (kernelmodel/kernel/file.h)

// task_struct, as far as the model needs it. Implementations derive from it.
struct Task {
  static constexpr int kMaxHeldLocks = 16;

  uint32_t pid = 0;       // 1, 2, 3 ... in order of creation
  const char* name = "";  // lives as long as the run
  TaskState state = TaskState::runnable;
  bool kthread = false;           // a kernel worker: cannot be killed
  bool fatal_signal = false;      // SIGKILL is pending (fatal_signal_pending())
  bool signal_pending = false;    // one that is handled; cleared on the way back to user space
  WaitReason waiting;             // the latest wait; it lasts while state == waiting
  files_struct* files = nullptr;  // shared by the tasks of one process; null: a kernel thread
  bool capable = true;            // it has CAP_SYS_ADMIN
  uint64_t cwd = 0;               // working directory: an inode of the backing store
  // What lockdep knows: the classes held, in order of taking (kernelmodel/kernel/lockdep.h).
  uint8_t held_count = 0;
  uint8_t spin_count = 0;  // > 0: must not sleep
  uint8_t held[kMaxHeldLocks] = {};
};

// timer_list: fn(arg) runs once, on the scheduler's own stack ("softirq"), when the clock reaches
// `expires`. It must not block; it may wake tasks and arm timers. A Timer that is destroyed or
// whose memory is reused must have been disarmed first.
struct Timer {
  TimeNs expires = 0;
  void (*fn)(void*) = nullptr;
  void* arg = nullptr;
  bool armed = false;
  uint64_t sequence = 0;  // the scheduler's: keeps equal times in order of arming
};

class Scheduler {
 public:
  using Entry = void (*)(void* arg);

  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // The task that runs now; never null inside a task, null in a timer's fn.
  Task* current() const { return current_; }

  // Another task may run here. `object` identifies what is about to be touched (a lock, an xarray,
  // a shared count): two points with different objects commute. Costs next to nothing where nobody
  // else could run.
  void preemption_point(const void* object) {
    if (free_points_ == 0) [[unlikely]]
      preempt(object);
    else
      --free_points_;
  }

  // Puts the current task to sleep until wake(), or, if `reason.killable`, until a fatal signal is
  // pending for it. May return early; callers re-check their condition. It is a report
  // (sleeping-while-atomic) to call it with a spin lock held.
  virtual void block(const WaitReason& reason) = 0;

  // As block(), but at the latest at `deadline`. Returns false if the deadline was what ended it.
  virtual bool block_until(const WaitReason& reason, TimeNs deadline) = 0;

  // Makes a waiting task runnable; nothing happens to one that is not waiting.
  virtual void wake(Task& task) = 0;

  // A new task, runnable, that executes entry(arg) and ends. `name` is copied into the run's
  // memory.
  virtual Task& spawn(std::string_view name, bool kthread, Entry entry, void* arg) = 0;

  // Sends SIGKILL: sets fatal_signal and wakes the task if it sleeps killably. Ignored by kthreads.
  virtual void kill(Task& task) = 0;

  virtual void arm(Timer& timer, TimeNs expires) = 0;  // re-arms if armed
  virtual void disarm(Timer& timer) = 0;               // no-op if not armed
  virtual TimeNs now() const = 0;

  // A broken invariant: the run ends here and every stack is dropped as it is (no unwinding). What
  // a task owns must therefore live in memory().
  [[noreturn]] virtual void broken(ReportKind kind, std::string_view text) = 0;

  // The order in which this run's tasks take locks.
  Lockdep& lockdep() { return lockdep_; }

  // The Scheduler that runs tasks on this thread, or did last: what a null handle, which knows no
  // run, reports to. Null before the first.
  static Scheduler* running() { return running_; }

  // Memory of this run: given back as a whole when the run ends.
  virtual std::pmr::memory_resource& memory() = 0;

 protected:
  Scheduler() = default;
  ~Scheduler() {
    if (running_ == this) running_ = nullptr;
  }
  void make_running() { running_ = this; }  // the host calls it before it runs a task
  virtual void preempt(const void* object) = 0;

  Task* current_ = nullptr;
  uint32_t free_points_ = 0;  // so many preemption points pass before preempt() is told of one

 private:
  static inline thread_local Scheduler* running_ = nullptr;
  Lockdep lockdep_;
};

}  // namespace coldread
