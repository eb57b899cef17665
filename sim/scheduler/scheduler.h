// The scheduler port on fibers with a virtual clock: how every simulated run executes.
//
// All tasks share one thread. A strategy picks the next task whenever one waits or ends, and at
// preemption points if it wants to; time stands still while anyone can run and then jumps to the
// next timer. The same strategy decisions give the same run, byte for byte. On a real clock
// (Options::clock) nothing jumps: run() returns when nobody can go on, and its caller waits.
//
// Thread rules: one scheduler, one thread; schedulers of different threads know nothing of each
// other. Code on a fiber must not block inside a catch handler, and must own no heap memory in
// local variables across a call that can block, preempt or report: stacks are dropped, never
// unwound.
#pragma once

#include <map>
#include <memory_resource>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernelmodel/ports/scheduler.h"
#include "sim/scheduler/fiber.h"
#include "sim/scheduler/run_memory.h"
#include "sim/scheduler/strategy.h"

namespace coldread::sim {

// A task that waits at the end of a run.
struct WaitingTask {
  uint32_t pid = 0;
  std::string name;
  bool kthread = false;
  WaitReason reason;
};

struct RunEnd {
  enum class Kind : uint8_t { finished, hang, broken, idle, paused };

  static constexpr TimeNs kNoTimer = UINT64_MAX;

  Kind kind = Kind::finished;
  TimeNs next_timer = kNoTimer;          // idle: when the first timer is due
  ReportKind report = ReportKind::none;  // `hang` for a hang
  std::string text;                      // one sentence; empty if finished
  std::string task;                      // broken: who ran; empty for a timer
  std::vector<WaitingTask> waiting;      // hang, broken: all but the idle, in order of creation
};

// Told of every task that stops, on its own stack: it waits, another one runs first, or the run
// ends with it.
class StopWatch {
 public:
  virtual void stops(const Task& task) = 0;

 protected:
  ~StopWatch() = default;
};

// When a task that waits for quiet goes on.
enum class Quiet : uint8_t {
  now,       // nobody else can run and no timer is due; time does not pass
  for_good,  // as well, no timer is pending, or all that are left are idle
};

// Time that passes by itself, in nanoseconds since it was made; never goes back.
class Clock {
 public:
  virtual TimeNs now() const = 0;

 protected:
  Clock() = default;
  ~Clock() = default;
};

class FiberScheduler final : public Scheduler {
 public:
  struct Options {
    StackPool* stacks = nullptr;  // shared with other runs of this thread; null: an own one
    // More decisions than this are a hang, a livelock; kUndecidedPoints preemption points at which
    // nothing was to be decided count as one.
    uint64_t max_steps = UINT64_MAX;
    const Clock* clock = nullptr;  // outlives the scheduler; null: virtual time
    StopWatch* watch = nullptr;    // outlives the scheduler; may be null
    bool tells_alone = false;      // the strategy is told of steps that nobody can come between
  };

  // `strategy` outlives the scheduler. Its memory is not the run's: it is called outside of any
  // RunArena.
  explicit FiberScheduler(SchedulingStrategy& strategy) : FiberScheduler(strategy, Options()) {}
  FiberScheduler(SchedulingStrategy& strategy, const Options& options);
  ~FiberScheduler() { drop(); }

  // This one decides from now on. It wants to be asked at preemption points if the one before did.
  void use(SchedulingStrategy& strategy) { strategy_ = &strategy; }
  // Passed on to the strategy.
  void setup_done();
  size_t choose(size_t count);

  // Runs until every task that is not idle has finished, nothing can go on, or a report. Not to be
  // called from a task or timer. After `finished` or `hang` more may be spawned, woken or killed
  // from outside and run() called again; after `broken` it only repeats what it said. On a real
  // clock it returns `idle` instead of `finished` and `hang`: nobody can go on before next_timer,
  // unless somebody outside sees to it.
  RunEnd run();

  // Lets run() return `paused`; the next run() goes on behind this call. On a task's fiber.
  void pause();
  // The stacks in use, each as far as there is something on it. Not from a task.
  std::vector<std::span<std::byte>> frames() const;

  // fn(task) for each that has not finished, in order of creation.
  template <typename Fn>
  void for_each_task(Fn fn) const {
    for (const Task* task = first_task(); task != nullptr; task = following_task(*task)) fn(*task);
  }

  // Drops the stacks of all tasks as they are; they count as finished from now on. Not to be called
  // from a task or timer.
  void drop();

  // As block(), but at the latest when everything else is quiet. Returns false if that was what
  // ended it. Tasks that wait for quiet are released one at a time, in the order in which they
  // came.
  bool block_until_quiet(const WaitReason& reason, Quiet quiet);

  // Waits until everything else is quiet, whatever wakes the task; a fatal signal ends the wait if
  // `reason.killable`.
  void wait_quiet(const WaitReason& reason, Quiet quiet = Quiet::now);

  // What fn() reads is no preemption point: for those who look at a run from outside.
  template <typename Fn>
  void look(Fn fn) {
    const uint32_t before = std::exchange(free_points_, UINT32_MAX);
    fn();
    free_points_ = before;
  }

  // Lets every other runnable task go first, as far as the strategy likes.
  void yield();

  static constexpr uint64_t kUndecidedPoints = 64;

  // How many times it was decided who goes on, timers included.
  uint64_t steps() const { return steps_; }

  void block(const WaitReason& reason) override;
  bool block_until(const WaitReason& reason, TimeNs deadline) override;
  void wake(Task& task) override;
  Task& spawn(std::string_view name, bool kthread, Entry entry, void* arg) override;
  void kill(Task& task) override;
  void arm(Timer& timer, TimeNs expires) override;
  void disarm(Timer& timer) override;
  TimeNs now() const override { return clock_ != nullptr ? clock_->now() : now_; }
  // Outside of run() there is no run to end: prints the report and aborts.
  [[noreturn]] void broken(ReportKind kind, std::string_view text) override;
  std::pmr::memory_resource& memory() override { return memory_; }

 private:
  struct Record;

  void preempt(const void* object) override;
  void pass_point(const void* object);
  void offer_preemption(const void* object);
  void enqueue(Record& record);

  const Task* first_task() const;
  const Task* following_task(const Task& task) const;

  Record& self() const;
  bool begin_wait(const WaitReason& reason);
  void make_runnable(Record& record);
  void check_canary(Record& record);

  // How a fiber begins.
  template <void (FiberScheduler::*loop)()>
  static void entry_of(void* scheduler) {
    (static_cast<FiberScheduler*>(scheduler)->*loop)();
  }

  void count_step();
  void check_limit();
  [[noreturn]] void report_livelock();
  void fetch_ahead() const;
  Record& pick();
  void suspend(Record& record);
  void resume(Fiber& from, Record& next);
  void run_tasks();
  void end_task(Record& record);

  void idle_loop();
  bool fire_due_timers();
  bool release_quiet(Quiet quiet);
  void end_run(RunEnd::Kind kind);
  void describe_waiting();

  RunMemory memory_;
  SchedulingStrategy* strategy_;
  StackPool own_stacks_;
  StackPool& stacks_;
  const uint64_t max_steps_;
  const Clock* const clock_;
  StopWatch* const watch_;
  const bool asks_;  // the strategy wants to be asked at preemption points
  const bool tells_alone_;

  RunQueue runnable_;
  uint64_t steps_ = 0;
  size_t busy_ = 0;          // tasks that are neither finished nor idle
  Record* first_ = nullptr;  // all tasks that have not finished, in order of creation
  Record* last_ = nullptr;
  uint32_t last_pid_ = 0;

  TimeNs now_ = 0;  // of the virtual clock
  uint64_t timer_sequence_ = 0;
  std::pmr::map<std::pair<TimeNs, uint64_t>, Timer*> timers_;
  std::pmr::vector<Record*> quiet_waiters_[2];  // by Quiet

  Fiber outside_;  // who called run()
  Fiber idle_;     // runs timers and decides what happens when no task can run
  Record* paused_ = nullptr;
  bool inside_run_ = false;
  bool is_broken_ = false;
  RunEnd end_;
  uint64_t undecided_ = 0;  // preemption points at which nothing was to be decided, with those that
                            // may still pass freely
};

}  // namespace coldread::sim
