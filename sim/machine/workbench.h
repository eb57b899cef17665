// One scenario played over and over, each time from the end of its setup.
//
// The setup is played once, first in, first out; after that every run puts back what it left
// (run_arena.h) and goes on under a strategy of its own. What a run does is the same, byte for
// byte, as what a fresh machine does under the same strategy. Where there is no arena each run is
// one of a fresh machine.
//
// Thread rules: one thread. Lifetime: the scenario outlives it.
#pragma once

#include <memory>

#include "sim/machine/run.h"
#include "sim/scheduler/fiber.h"
#include "sim/scheduler/run_arena.h"
#include "sim/scheduler/strategy.h"

namespace coldread::sim {

class Machine;

class Workbench {
 public:
  // `options`: of every run; on_trace, on_record, stacks, strategy and scheduling are not used.
  Workbench(const scenario::Scenario& scenario, const Profile& profile, const RunOptions& options);
  ~Workbench();
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

  // `strategy` must not let tasks be preempted before its setup_done() is called, and picks the
  // first then, as DecidingStrategy does.
  RunResult run(SchedulingStrategy& strategy);

  // Sets up a run and drops it: what is spent beside playing.
  void set_up();

  // While run() lasts: the machine, for who looks on.
  Machine* playing() const { return playing_; }

  bool reuses() const { return machine_ != nullptr; }
  size_t saved_bytes() const { return arena_.saved_bytes(); }

 private:
  // First in, first out, until a run's own strategy takes its place.
  class Setup final : public SchedulingStrategy {
   public:
    bool preemptive() const override { return true; }
    size_t next(const RunQueue&) override { return 0; }
    size_t preempt(const Task&, const void*, const RunQueue&) override { return kStay; }
  };
  struct SavedFrames {
    std::span<std::byte> frames;
    size_t at;  // in saved_frames_
  };

  const scenario::Scenario& scenario_;
  const Profile profile_;
  RunOptions options_;
  StackPool stacks_;
  Setup playing_setup_;
  RunArena arena_;
  Machine* machine_ = nullptr;  // in the arena
  Machine* playing_ = nullptr;
  StackPool::Mark free_stacks_;
  std::vector<SavedFrames> frames_;
  std::vector<std::byte> saved_frames_;
};

}  // namespace coldread::sim
