#include "sim/machine/workbench.h"

#include <cstring>

#include "sim/machine/machine.h"

namespace coldread::sim {

Workbench::Workbench(const scenario::Scenario& scenario, const Profile& profile,
                     const RunOptions& options)
    : scenario_(scenario), profile_(profile), options_(options) {
  options_.profile = profile_.name;
  options_.changed_profile = &profile_;
  options_.on_trace = nullptr;
  options_.on_record = nullptr;
  options_.stacks = &stacks_;
  options_.scheduling = &playing_setup_;
  if (!arena_.usable()) return;
  // Statics that are made on first use are made now, and not in the arena.
  Machine(scenario_, profile_, options_).run();
  {
    const RunArena::Inside inside(arena_);
    machine_ = new Machine(scenario_, profile_, options_);
    machine_->play_setup();
  }
  for (const std::span<std::byte> frames : machine_->scheduler().frames()) {
    frames_.push_back({frames, saved_frames_.size()});
    saved_frames_.insert(saved_frames_.end(), frames.begin(), frames.end());
  }
  free_stacks_ = stacks_.mark();
  arena_.save();
}

Workbench::~Workbench() {
  if (machine_ == nullptr) return;
  set_up();
  const RunArena::Inside inside(arena_);
  delete machine_;
}

void Workbench::set_up() {
  arena_.restore();
  stacks_.reset(free_stacks_);
  for (const SavedFrames& saved : frames_)
    std::memcpy(saved.frames.data(), saved_frames_.data() + saved.at, saved.frames.size());
}

RunResult Workbench::run(SchedulingStrategy& strategy) {
  RunResult result;
  if (machine_ != nullptr) {
    set_up();
    machine_->scheduler().use(strategy);
    playing_ = machine_;
    const RunArena::Inside inside(arena_);
    result = machine_->play_rest();
  } else {
    Machine fresh(scenario_, profile_, options_);
    fresh.scheduler().use(strategy);
    playing_ = &fresh;
    result = fresh.run();
  }
  playing_ = nullptr;
  return result;
}

}  // namespace coldread::sim
