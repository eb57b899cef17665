// Tasks, clock, timers and the ways in which a run ends.
#include "sim/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace coldread::sim {
namespace {

// Tasks as lambdas; what they own lives here and outlives their stacks.
class SchedulerTest : public testing::Test {
 protected:
  Task& go(const char* name, std::function<void()> body, bool kthread = false) {
    bodies_.push_back(std::move(body));
    return scheduler_.spawn(
        name, kthread, [](void* arg) { (*static_cast<std::function<void()>*>(arg))(); },
        &bodies_.back());
  }

  std::vector<std::string> log_;
  std::deque<std::function<void()>> bodies_;
  FifoStrategy fifo_;
  FiberScheduler scheduler_{fifo_};
};

constexpr WaitReason kWait{"wait queue", "test", false, false};

TEST_F(SchedulerTest, RunsInOrderOfSpawning) {
  for (const char* name : {"a", "b", "c"})
    go(name, [this] { log_.push_back(scheduler_.current()->name); });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::finished);
  EXPECT_EQ(log_, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(SchedulerTest, ClockJumps) {
  go("sleeper", [this] {
    EXPECT_FALSE(scheduler_.block_until(kWait, 5 * kNsPerSecond));
    EXPECT_EQ(scheduler_.now(), 5 * kNsPerSecond);
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
}

TEST_F(SchedulerTest, HangNamesWhoWaits) {
  go("reader", [this] { scheduler_.block(kWait); });
  const RunEnd end = scheduler_.run();
  ASSERT_EQ(end.kind, RunEnd::Kind::hang);
  ASSERT_EQ(end.waiting.size(), 1u);
  EXPECT_EQ(end.waiting[0].name, "reader");
}

}  // namespace
}  // namespace coldread::sim
