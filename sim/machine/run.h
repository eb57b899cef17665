// One scenario on the modelled kernel, from boot to verdict's raw material: the transcript.
//
// Deterministic: the same scenario, profile and options give the same transcript and trace, byte
// for byte. Thread rules: run() may be called from several threads at once, each call is on its
// own.
#pragma once

#include <functional>
#include <string>

#include "kernelmodel/profile.h"
#include "sim/player/notes.h"
#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::sim {

enum class Strategy : uint8_t { fifo, random };
class Machine;
class ModelSyscalls;
class SchedulingStrategy;
class StackPool;
class StopWatch;

// What tasks do behind their last step, where no scenario says it: fuzzing.
class FurtherPlay {
 public:
  // On the fiber of the scenario's task of that index, through its calls. May never return; what
  // owns memory belongs to the player, and is made outside of the run's arena if it outlives it.
  virtual void play(Machine& machine, size_t task, ModelSyscalls& syscalls) = 0;

 protected:
  ~FurtherPlay() = default;
};

struct RunOptions {
  std::string profile = "6.12.117";          // must be known (kernelmodel/profile.h)
  const Profile* changed_profile = nullptr;  // instead: one with changes taken out or put in
  Strategy strategy = Strategy::fifo;
  uint64_t seed = 0;
  SchedulingStrategy* scheduling = nullptr;  // instead: one of the caller's, for this run alone
  StackPool* stacks = nullptr;     // shared with other runs of this thread; null: an own one
  StopWatch* watch = nullptr;      // of the scheduler; may be null
  bool tells_alone = false;        // of the scheduler
  FurtherPlay* further = nullptr;  // outlives the run; may be null
  // Ready-made daemons ask the strategy how to behave (SchedulingStrategy::choose()).
  bool daemon_choices = false;
  // Both are called during run(), on its thread, and must not throw.
  // Receives each trace line in ftrace's format, without newline; may be null.
  std::function<void(std::string_view line)> on_trace;
  // Receives each record as it is completed: -v.
  std::function<void(const std::string& task, const player::Record& record)> on_record;
  // More decisions than these are a hang: a run that goes on and on.
  uint64_t max_steps = 10'000'000;
  // records: a whole transcript. outcomes: no records, events and disk, but RunResult::outcome.
  player::Keep keep = player::Keep::records;
  // How many of each task's last trace events a report or failure shows.
  size_t history = 16;
};

struct RunResult {
  player::Transcript transcript;
  // Task name -> its last events, oldest first, for failures.
  std::map<std::string, std::vector<std::string>> last_events;
  uint64_t steps = 0;    // scheduler decisions taken
  uint64_t outcome = 0;  // Keep::outcomes: equal where Transcript::canonical() would be
};

// Never fails: what goes wrong in the modelled kernel is transcript.report.
RunResult run(const scenario::Scenario& scenario, const RunOptions& options);

}  // namespace coldread::sim
