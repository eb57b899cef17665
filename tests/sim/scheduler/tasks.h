// Tasks as lambdas, for tests.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "sim/scheduler/scheduler.h"

namespace coldread::sim {

inline constexpr WaitReason kWait{"wait queue", "test", false, false};
inline constexpr WaitReason kKillable{"completion", "test", true, false};
inline constexpr WaitReason kIdle{"work queue", "test", false, true};

// A scheduler and what its tasks own: the bodies and a log outlive the stacks.
class Tasks {
 public:
  explicit Tasks(SchedulingStrategy& strategy, const FiberScheduler::Options& options = {})
      : scheduler(strategy, options) {}

  Task& spawn(const char* name, std::function<void()> body, bool kthread = false) {
    bodies_.push_back(std::move(body));
    return scheduler.spawn(
        name, kthread, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); },
        &bodies_.back());
  }

  // Appends the running task's name.
  void log() { order += scheduler.current()->name; }

  std::string order;

 private:
  std::deque<std::function<void()>> bodies_;

 public:
  FiberScheduler scheduler;  // the last: its tasks use all the others
};

}  // namespace coldread::sim
