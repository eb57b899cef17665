// A schedule as text: where a run leaves the ordinary way.
//
// At every decision one of the tasks that can go on does. The ordinary one is the running task, or,
// if that has stopped, the one that waits longest; a schedule lists all other choices, each with
// the number of its decision, counted from the end of the scenario's setup; ready-made daemons
// that choose how to behave take decisions too. So the empty schedule
// is first-in-first-out, and what is left out of a schedule makes it simpler.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "sim/result.h"
#include "sim/scheduler/strategy.h"

namespace coldread::sim {

// Decision -> index of the chosen task among those that can go on, in order of becoming runnable.
using Schedule = std::map<uint64_t, uint32_t>;

// "12:1,40:0"; empty: "-".
std::string schedule_text(const Schedule& schedule);
// The inverse. The error says what was expected.
Result<Schedule> parse_schedule(std::string_view text);

// Told of every decision.
class DecisionWatch {
 public:
  // `current` (null: it has stopped) is about to touch `object`; `chosen` goes on.
  virtual void decided(const Task* current, const void* object, const Task& chosen) = 0;

 protected:
  ~DecisionWatch() = default;
};

// What exploring strategies have in common: first-in-first-out until the setup is done, then one
// question for every decision; keeps what was chosen. A run that goes on for long is decided fairly
// from then on, each task in turn, so that it only goes on for ever if nothing else would end it.
class DecidingStrategy : public SchedulingStrategy {
 public:
  bool preemptive() const final { return true; }
  void setup_done() final { active_ = true; }
  size_t next(const RunQueue& runnable) final;
  size_t preempt(const Task& current, const void* object, const RunQueue& runnable) final;
  void alone(const Task* current, const void* object, const RunQueue& runnable) final;
  size_t choose(size_t count) final;

  static constexpr uint64_t kFairFrom = 50'000;  // decisions

  bool begun() const { return active_; }  // the setup is done
  const Schedule& schedule() const { return schedule_; }
  uint64_t decisions() const { return decisions_; }

  void keep_schedule() { keeps_schedule_ = true; }  // else schedule() stays empty
  void watch(DecisionWatch* watch) { watch_ = watch; }

 protected:
  // The index in `runnable`, or runnable.size() for `current` to go on, which is null if it has
  // stopped. `object` is what it is about to touch.
  virtual size_t decide(const Task* current, const void* object, const RunQueue& runnable) = 0;
  virtual size_t decide_among(size_t count) = 0;
  // As decide(), where only one task can go on: no decision, and not counted.
  virtual void note_alone(const Task* current, const void* object, const RunQueue& runnable) {
    (void)current, (void)object, (void)runnable;
  }

 private:
  size_t ask(const Task* current, const void* object, const RunQueue& runnable);
  void note(const Task* current, const void* object, const RunQueue& runnable, size_t choice);

  bool active_ = false;
  bool keeps_schedule_ = false;
  DecisionWatch* watch_ = nullptr;
  uint64_t decisions_ = 0;
  Schedule schedule_;
};

// Repeats a schedule; what it does not fit is decided in the ordinary way.
class ReplayStrategy final : public DecidingStrategy {
 public:
  explicit ReplayStrategy(Schedule schedule) : wanted_(std::move(schedule)) {}

 private:
  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override;
  size_t decide_among(size_t count) override;

  Schedule wanted_;
};

}  // namespace coldread::sim
