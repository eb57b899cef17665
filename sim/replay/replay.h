// A run looked at: up to a decision or an event, with what each task was doing, what it holds, and
// what the kernel's tables say; and the whole of it as columns, one for each task.
//
// Going back is a shorter replay: the same schedule leads to the same state.
//
// Thread rules: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/explore/schedule.h"
#include "sim/machine/run.h"

namespace coldread::sim {

struct ReplayOptions {
  Profile profile;
  Schedule schedule;
  bool daemon_choices = false;
  std::optional<uint64_t> to;  // stops before this decision is carried out
  std::string until;           // stops at the decision after a trace event with this text; or empty
};

// Something a task did, in the order in which things happened after the setup.
struct ReplayMoment {
  uint64_t decision = 0;  // how many had been taken
  std::string task;
  std::vector<std::string> functions;  // it stopped in these, outermost first
  std::string step;                    // or: a step of the scenario ended: "close = 0"
};

struct Replayed {
  bool stopped = false;  // by `to` or `until`; else the run ended
  uint64_t decisions = 0;
  std::vector<ReplayMoment> moments;
  std::string state;  // tasks, requests, objects and files where it stopped: lines
  std::optional<player::RunReport> report;
};

Replayed look_at(const scenario::Scenario& scenario, const ReplayOptions& options);

// The moments side by side as in commit messages: a column for each task, time downwards. A stack
// shows what is new of it since the task's one before.
std::string columns(const Replayed& replayed);

}  // namespace coldread::sim
