// What the tests of the primitives run on: a fiber scheduler, first-in-first-out or one of many
// random schedules, and tasks written as lambdas.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "sim/scheduler/scheduler.h"

namespace coldread {

inline std::unique_ptr<sim::SchedulingStrategy> make_strategy(uint64_t seed) {
  if (seed == 0) return std::make_unique<sim::FifoStrategy>();
  return std::make_unique<sim::RandomStrategy>(seed);
}

// One run. Seed 0 is first-in-first-out, all others are random.
class TestRun {
 public:
  explicit TestRun(uint64_t seed = 0) : TestRun(make_strategy(seed)) {}
  explicit TestRun(std::unique_ptr<sim::SchedulingStrategy> strategy)
      : strategy_(std::move(strategy)), scheduler(*strategy_) {}

  Task& spawn(std::string_view name, std::function<void()> body) {
    bodies_.push_back(std::move(body));
    return scheduler.spawn(
        name, false, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); },
        &bodies_.back());
  }

  // Runs to the end, which must be without hang or report.
  void finish() {
    const sim::RunEnd end = scheduler.run();
    EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
  }
  // Runs to the end, which must be this report; returns its text.
  std::string report(ReportKind kind) {
    const sim::RunEnd end = scheduler.run();
    EXPECT_STREQ(report_kind_name(end.report), report_kind_name(kind)) << end.text;
    return end.text;
  }

  // Another task may run here.
  void pause() { scheduler.preemption_point(this); }

 private:
  std::unique_ptr<sim::SchedulingStrategy> strategy_;
  std::deque<std::function<void()>> bodies_;

 public:
  sim::FiberScheduler scheduler;
};

// A test that must hold under every schedule.
class EverySchedule : public testing::TestWithParam<uint64_t> {
 protected:
  TestRun run{GetParam()};
  sim::FiberScheduler& scheduler = run.scheduler;
};

// A test of one schedule is enough for.
class OneSchedule : public testing::Test {
 protected:
  TestRun run;
  sim::FiberScheduler& scheduler = run.scheduler;
};

inline auto schedules() {
  return testing::Range(uint64_t{0}, uint64_t{60});
}

}  // namespace coldread
