// Who runs, who waits, and what happens when nobody can run.
#include "sim/scheduler/scheduler.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <type_traits>
#include <utility>

#include "sim/scheduler/run_arena.h"

namespace coldread::sim {

struct FiberScheduler::Record : Task {
  Fiber fiber;
  Entry entry = nullptr;
  void* arg = nullptr;
  FiberScheduler* scheduler = nullptr;
  Record* previous = nullptr;  // in order of creation
  Record* following = nullptr;
  Timer timeout;  // block_until()'s
  bool timed_out = false;
  bool became_quiet = false;  // block_until_quiet() ended because of it
};

FiberScheduler::FiberScheduler(SchedulingStrategy& strategy, const Options& options)
    : strategy_(&strategy),
      stacks_(options.stacks != nullptr ? *options.stacks : own_stacks_),
      max_steps_(options.max_steps),
      clock_(options.clock),
      watch_(options.watch),
      asks_(strategy.preemptive()),
      tells_alone_(asks_ && options.tells_alone),
      runnable_(memory_),
      timers_(&memory_),
      quiet_waiters_{std::pmr::vector<Record*>(&memory_), std::pmr::vector<Record*>(&memory_)} {
  static_assert(std::is_trivially_destructible_v<Record>, "records are freed with the arena");
}

void FiberScheduler::setup_done() {
  const RunArena::Outside outside;
  strategy_->setup_done();
}

size_t FiberScheduler::choose(size_t count) {
  const RunArena::Outside outside;
  return strategy_->choose(count);
}

// --- tasks --------------------------------------------------------------------------------------

Task& FiberScheduler::spawn(std::string_view name, bool kthread, Entry entry, void* arg) {
  std::pmr::polymorphic_allocator<> allocator(&memory_);
  char* copy = allocator.allocate_object<char>(name.size() + 1);
  std::memcpy(copy, name.data(), name.size());
  copy[name.size()] = '\0';

  Record& record = *allocator.new_object<Record>();
  record.pid = ++last_pid_;
  record.name = copy;
  record.kthread = kthread;
  record.entry = entry;
  record.arg = arg;
  record.scheduler = this;
  record.previous = last_;
  (last_ != nullptr ? last_->following : first_) = &record;
  last_ = &record;
  ++busy_;
  enqueue(record);
  return record;
}

// Somebody else can run from now on: the next preemption point matters.
void FiberScheduler::enqueue(Record& record) {
  runnable_.push_back(record);
  if (!asks_) return;
  undecided_ -= free_points_;
  free_points_ = 0;
}

void FiberScheduler::wake(Task& task) {
  if (task.state == TaskState::waiting) make_runnable(static_cast<Record&>(task));
}

void FiberScheduler::kill(Task& task) {
  if (task.kthread) return;
  task.fatal_signal = true;
  if (task.state == TaskState::waiting && task.waiting.killable)
    make_runnable(static_cast<Record&>(task));
}

void FiberScheduler::make_runnable(Record& record) {
  if (record.waiting.idle) ++busy_;
  record.state = TaskState::runnable;
  enqueue(record);
}

// --- waiting ------------------------------------------------------------------------------------

const Task* FiberScheduler::first_task() const {
  return first_;
}

const Task* FiberScheduler::following_task(const Task& task) const {
  return static_cast<const Record&>(task).following;
}

FiberScheduler::Record& FiberScheduler::self() const {
  return static_cast<Record&>(*current_);
}

// False: the wait is over before it began.
bool FiberScheduler::begin_wait(const WaitReason& reason) {
  if (current_ == nullptr || current_->spin_count > 0) [[unlikely]] {
    char text[256];
    if (current_ == nullptr)
      std::snprintf(text, sizeof text, "a timer's function waits for %s %s", reason.kind,
                    reason.name);
    else
      std::snprintf(text, sizeof text, "%s waits for %s %s while it holds a spin lock",
                    current_->name, reason.kind, reason.name);
    broken(ReportKind::sleeping_in_atomic, text);
  }
  if (reason.killable && current_->fatal_signal) return false;
  if (reason.idle) --busy_;
  current_->waiting = reason;
  current_->state = TaskState::waiting;
  return true;
}

void FiberScheduler::block(const WaitReason& reason) {
  if (begin_wait(reason)) suspend(self());
}

bool FiberScheduler::block_until(const WaitReason& reason, TimeNs deadline) {
  if (!begin_wait(reason)) return true;
  Record& record = self();
  record.timed_out = false;
  record.timeout.arg = &record;
  record.timeout.fn = [](void* arg) {
    Record& late = *static_cast<Record*>(arg);
    if (late.state != TaskState::waiting) return;
    late.timed_out = true;
    late.scheduler->make_runnable(late);
  };
  arm(record.timeout, deadline);
  suspend(record);
  disarm(record.timeout);
  return !record.timed_out;
}

bool FiberScheduler::block_until_quiet(const WaitReason& reason, Quiet quiet) {
  if (!begin_wait(reason)) return true;
  Record& record = self();
  record.became_quiet = false;
  std::pmr::vector<Record*>& waiters = quiet_waiters_[static_cast<size_t>(quiet)];
  waiters.push_back(&record);
  suspend(record);
  if (record.became_quiet) return false;
  waiters.erase(std::find(waiters.begin(), waiters.end(), &record));
  return true;
}

void FiberScheduler::wait_quiet(const WaitReason& reason, Quiet quiet) {
  while (block_until_quiet(reason, quiet))
    if (reason.killable && current_->fatal_signal) return;
}

void FiberScheduler::yield() {
  Record& record = self();
  record.state = TaskState::runnable;
  enqueue(record);
  suspend(record);
}

void FiberScheduler::preempt(const void* object) {
  if (current_ == nullptr) return;
  if (asks_ && !runnable_.empty())
    offer_preemption(object);
  else
    pass_point(object);
}

// Most points are reached by a task that is alone. Those only count, and of kUndecidedPoints all
// but one pass without a call.
void FiberScheduler::pass_point(const void* object) {
  if (tells_alone_) {
    undecided_ += kUndecidedPoints;  // who is told keeps a note of each
    check_limit();
    const RunArena::Outside outside;
    strategy_->alone(current_, object, runnable_);
    return;
  }
  undecided_++;
  if (undecided_ % kUndecidedPoints == 0) check_limit();
  free_points_ = kUndecidedPoints - 1 - undecided_ % kUndecidedPoints;
  undecided_ += free_points_;
}

void FiberScheduler::offer_preemption(const void* object) {
  count_step();
  size_t choice = 0;
  {
    const RunArena::Outside outside;
    choice = strategy_->preempt(*current_, object, runnable_);
  }
  if (choice == SchedulingStrategy::kStay) return;
  Record& record = self();
  if (watch_ != nullptr) watch_->stops(record);
  check_canary(record);
  Record& next = static_cast<Record&>(runnable_.take(choice));
  record.state = TaskState::runnable;
  runnable_.push_back(record);
  resume(record.fiber, next);
}

// --- switching ----------------------------------------------------------------------------------

inline void FiberScheduler::count_step() {
  steps_++;
  check_limit();
}

// A task that never lets go of the CPU would go on for ever, too.
inline void FiberScheduler::check_limit() {
  if (steps_ + undecided_ / kUndecidedPoints > max_steps_) [[unlikely]]
    report_livelock();
}

void FiberScheduler::report_livelock() {
  broken(ReportKind::hang, "the run goes on and on without coming to an end");
}

void FiberScheduler::check_canary(Record& record) {
  if (!record.fiber.stack().intact()) [[unlikely]]
    broken(ReportKind::stack_overflow, "a task overran its stack");
}

// With thousands of tasks their records and stacks have left the caches when it is their turn: they
// are fetched while the ones before them run.
void FiberScheduler::fetch_ahead() const {
  constexpr size_t kRecord = 4;
  constexpr size_t kStack = 2;
  if (runnable_.size() > kRecord) {
    const Record& record = static_cast<const Record&>(runnable_[kRecord]);
    __builtin_prefetch(&record);
    __builtin_prefetch(&record.fiber);
  }
  if (runnable_.size() > kStack) static_cast<const Record&>(runnable_[kStack]).fiber.prefetch();
}

// Who runs next, of at least one.
FiberScheduler::Record& FiberScheduler::pick() {
  count_step();
  fetch_ahead();
  if (runnable_.size() == 1 && !tells_alone_) return static_cast<Record&>(runnable_.pop_front());
  const RunArena::Outside outside;
  if (runnable_.size() > 1) return static_cast<Record&>(runnable_.take(strategy_->next(runnable_)));
  strategy_->alone(nullptr, nullptr, runnable_);
  return static_cast<Record&>(runnable_.pop_front());
}

// The current task stops here until it is picked again.
void FiberScheduler::suspend(Record& record) {
  check_canary(record);
  if (watch_ != nullptr) watch_->stops(record);
  if (runnable_.empty()) {
    current_ = nullptr;
    record.fiber.switch_to(idle_);
    return;
  }
  Record& next = pick();
  if (&next == &record)
    record.state = TaskState::running;
  else
    resume(record.fiber, next);
}

void FiberScheduler::resume(Fiber& from, Record& next) {
  if (!next.fiber.started())
    next.fiber.start(stacks_.acquire(), entry_of<&FiberScheduler::run_tasks>, this);
  current_ = &next;
  next.state = TaskState::running;
  from.switch_to(next.fiber);
}

// The bottom frame of a stack: runs one task and, as long as the next one needs a stack, that too.
void FiberScheduler::run_tasks() {
  for (;;) {
    Record& record = self();
    record.entry(record.arg);
    check_canary(record);
    Record* next = runnable_.empty() ? nullptr : &pick();
    end_task(record);
    current_ = next;
    if (next != nullptr) next->state = TaskState::running;
    if (next != nullptr && !next->fiber.started())
      record.fiber.hand_over_to(next->fiber);
    else
      record.fiber.leave_for(next != nullptr ? next->fiber : idle_, stacks_);
  }
}

void FiberScheduler::end_task(Record& record) {
  record.state = TaskState::finished;
  --busy_;
  (record.previous != nullptr ? record.previous->following : first_) = record.following;
  (record.following != nullptr ? record.following->previous : last_) = record.previous;
}

// --- time, quiet and the end --------------------------------------------------------------------

void FiberScheduler::arm(Timer& timer, TimeNs expires) {
  disarm(timer);
  timer.expires = expires;
  timer.sequence = ++timer_sequence_;
  timer.armed = true;
  timers_.emplace(std::pair(expires, timer.sequence), &timer);
}

void FiberScheduler::disarm(Timer& timer) {
  if (!timer.armed) return;
  timer.armed = false;
  timers_.erase({timer.expires, timer.sequence});
}

// What happens when no task can run, one thing after the other until one can.
void FiberScheduler::idle_loop() {
  for (;;) {
    if (!runnable_.empty())
      resume(idle_, pick());
    else if (fire_due_timers() || release_quiet(Quiet::now))
      continue;
    else if (clock_ != nullptr)
      end_run(RunEnd::Kind::idle);
    else if (busy_ > 0 && !timers_.empty())
      now_ = timers_.begin()->first.first;
    else if (release_quiet(Quiet::for_good))
      continue;
    else
      end_run(busy_ == 0 ? RunEnd::Kind::finished : RunEnd::Kind::hang);
  }
}

bool FiberScheduler::fire_due_timers() {
  bool any = false;
  const TimeNs time = now();
  while (!timers_.empty() && timers_.begin()->first.first <= time) {
    any = true;
    count_step();
    Timer& timer = *timers_.begin()->second;
    disarm(timer);
    timer.fn(timer.arg);
  }
  return any;
}

bool FiberScheduler::release_quiet(Quiet quiet) {
  std::pmr::vector<Record*>& waiters = quiet_waiters_[static_cast<size_t>(quiet)];
  if (waiters.empty()) return false;
  Record& record = *waiters.front();
  waiters.erase(waiters.begin());
  record.became_quiet = true;
  make_runnable(record);
  return true;
}

RunEnd FiberScheduler::run() {
  if (is_broken_) return end_;
  if (!idle_.started()) idle_.start(stacks_.acquire(), entry_of<&FiberScheduler::idle_loop>, this);
  make_running();
  inside_run_ = true;
  if (paused_ != nullptr) {
    Record& record = *std::exchange(paused_, nullptr);
    current_ = &record;
    outside_.switch_to(record.fiber);
  } else {
    outside_.switch_to(idle_);
  }
  inside_run_ = false;
  current_ = nullptr;
  return end_;
}

void FiberScheduler::pause() {
  paused_ = &self();
  end_ = RunEnd();
  end_.kind = RunEnd::Kind::paused;
  paused_->fiber.switch_to(outside_);
}

std::vector<std::span<std::byte>> FiberScheduler::frames() const {
  std::vector<std::span<std::byte>> found;
  if (idle_.started()) found.push_back(idle_.frames());
  for (const Record* record = first_; record != nullptr; record = record->following)
    if (record->fiber.started()) found.push_back(record->fiber.frames());
  return found;
}

// Back to who called run(); returns when run() is called again.
void FiberScheduler::end_run(RunEnd::Kind kind) {
  end_ = RunEnd();
  end_.kind = kind;
  if (kind == RunEnd::Kind::idle && !timers_.empty())
    end_.next_timer = timers_.begin()->first.first;
  if (kind == RunEnd::Kind::hang) {
    end_.report = ReportKind::hang;
    end_.text = "nobody can run and somebody waits";
    describe_waiting();
  }
  idle_.switch_to(outside_);
}

void FiberScheduler::broken(ReportKind kind, std::string_view text) {
  if (!inside_run_) {
    std::fprintf(stderr, "%s: %.*s\n", report_kind_name(kind), static_cast<int>(text.size()),
                 text.data());
    std::abort();
  }
  if (watch_ != nullptr && current_ != nullptr) watch_->stops(*current_);
  is_broken_ = true;
  end_ = RunEnd();
  end_.kind = kind == ReportKind::hang ? RunEnd::Kind::hang : RunEnd::Kind::broken;
  end_.report = kind;
  end_.text = text;
  if (current_ != nullptr) end_.task = current_->name;
  describe_waiting();
  (current_ != nullptr ? self().fiber : idle_).switch_to(outside_);
  std::abort();
}

void FiberScheduler::describe_waiting() {
  for (const Record* record = first_; record != nullptr; record = record->following)
    if (record->state == TaskState::waiting && !record->waiting.idle)
      end_.waiting.push_back({record->pid, record->name, record->kthread, record->waiting});
}

void FiberScheduler::drop() {
  for (Record* record = first_; record != nullptr; record = record->following) {
    record->fiber.drop(stacks_, outside_);
    record->state = TaskState::finished;
  }
  idle_.drop(stacks_, outside_);
  first_ = last_ = nullptr;
  busy_ = 0;
  runnable_.clear();
  timers_.clear();
  for (std::pmr::vector<Record*>& waiters : quiet_waiters_) waiters.clear();
}

}  // namespace coldread::sim
