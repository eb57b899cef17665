// The virtual clock: timers, deadlines and waiting for quiet.
#include <gtest/gtest.h>

#include "tests/sim/scheduler/tasks.h"

namespace coldread::sim {
namespace {

class TimeTest : public testing::Test {
 protected:
  // Logs its name when it fires.
  struct NamedTimer : Timer {
    NamedTimer(Tasks& owner, const char* timer_name) : tasks(owner), name(timer_name) {
      arg = this;
      fn = [](void* self) {
        auto& timer = *static_cast<NamedTimer*>(self);
        EXPECT_EQ(timer.tasks.scheduler.current(), nullptr);
        timer.tasks.order += timer.name;
      };
    }
    Tasks& tasks;
    const char* name;
  };

  FifoStrategy fifo_;
  Tasks tasks_{fifo_};
  FiberScheduler& scheduler_ = tasks_.scheduler;
};

TEST_F(TimeTest, StartsAtZeroAndStandsStillWhileTasksRun) {
  Timer timer;
  timer.fn = [](void*) { FAIL(); };
  scheduler_.arm(timer, 1);
  tasks_.spawn("a", [this] {
    for (int i = 0; i < 100; ++i) scheduler_.yield();
    EXPECT_EQ(scheduler_.now(), 0u);
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(scheduler_.now(), 0u);  // nobody waits: the timer's time never comes
}

TEST_F(TimeTest, TimersFireInOrderAndEqualOnesAsArmed) {
  NamedTimer a(tasks_, "a"), b(tasks_, "b"), c(tasks_, "c"), d(tasks_, "d"), e(tasks_, "e");
  scheduler_.arm(d, 50);
  scheduler_.arm(a, 20);
  scheduler_.arm(b, 10);
  scheduler_.arm(c, 20);
  scheduler_.arm(e, 5);
  scheduler_.arm(a, 20);  // now behind c
  scheduler_.disarm(e);
  scheduler_.disarm(e);
  EXPECT_TRUE(a.armed);
  EXPECT_FALSE(e.armed);
  tasks_.spawn("x", [this] { EXPECT_FALSE(scheduler_.block_until(kWait, 100)); });
  scheduler_.run();
  EXPECT_EQ(tasks_.order, "bcad");
  EXPECT_FALSE(a.armed);
  EXPECT_EQ(scheduler_.now(), 100u);
}

TEST_F(TimeTest, ATimerMayArmItselfAndWakeTasks) {
  struct Tick : Timer {
    FiberScheduler* scheduler;
    Task* task;
    int left = 3;
  } tick;
  tick.scheduler = &scheduler_;
  tick.arg = &tick;
  tick.fn = [](void* arg) {
    Tick& self = *static_cast<Tick*>(arg);
    if (--self.left > 0)
      self.scheduler->arm(self, self.scheduler->now() + 10);
    else
      self.scheduler->wake(*self.task);
  };
  tick.task = &tasks_.spawn("a", [this] { scheduler_.block(kWait); });
  scheduler_.arm(tick, 10);
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(scheduler_.now(), 30u);
}

TEST_F(TimeTest, AllThatIsDueFiresBeforeATaskRuns) {
  Task& task = tasks_.spawn("t", [this] {
    scheduler_.block(kWait);
    tasks_.log();
  });
  struct Waker : Timer {
    FiberScheduler* scheduler;
    Task* task;
  } waker;
  waker.scheduler = &scheduler_;
  waker.task = &task;
  waker.arg = &waker;
  waker.fn = [](void* arg) {
    Waker& self = *static_cast<Waker*>(arg);
    self.scheduler->wake(*self.task);
  };
  NamedTimer after(tasks_, "a");
  scheduler_.arm(waker, 10);
  scheduler_.arm(after, 10);
  scheduler_.run();
  EXPECT_EQ(tasks_.order, "at");
}

TEST_F(TimeTest, DeadlineOrWake) {
  Task& a = tasks_.spawn("a", [this] {
    EXPECT_TRUE(scheduler_.block_until(kWait, 1000));
    EXPECT_EQ(scheduler_.now(), 40u);
    EXPECT_FALSE(scheduler_.block_until(kWait, 60));
    EXPECT_EQ(scheduler_.now(), 60u);
    EXPECT_TRUE(scheduler_.block_until(kWait, 1000));
    scheduler_.block(kWait);
    EXPECT_EQ(scheduler_.now(), 2000u);  // the deadline went with the wake
  });
  tasks_.spawn("b", [&] {
    for (const TimeNs time : {40u, 70u, 2000u}) {
      EXPECT_FALSE(scheduler_.block_until(kWait, time));
      scheduler_.wake(a);
    }
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
}

TEST_F(TimeTest, KillEndsAWaitWithDeadline) {
  Task& a = tasks_.spawn("a", [this] {
    EXPECT_TRUE(scheduler_.block_until(kKillable, 1000));
    EXPECT_TRUE(scheduler_.block_until(kKillable, 1000));
  });
  tasks_.spawn("b", [&] { scheduler_.kill(a); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(scheduler_.now(), 0u);
}

TEST_F(TimeTest, ADeadlineInThePastLetsTheOthersGoFirst) {
  tasks_.spawn("a", [this] {
    EXPECT_FALSE(scheduler_.block_until(kWait, 10));
    EXPECT_FALSE(scheduler_.block_until(kWait, 5));
    EXPECT_EQ(scheduler_.now(), 10u);
    tasks_.log();
  });
  tasks_.spawn("b", [this] {
    EXPECT_FALSE(scheduler_.block_until(kWait, 10));
    scheduler_.yield();
    tasks_.log();
  });
  scheduler_.run();
  EXPECT_EQ(tasks_.order, "ba");
}

// --- quiet --------------------------------------------------------------------------------------

TEST_F(TimeTest, QuietComesWhenNobodyElseCanRun) {
  tasks_.spawn("q", [this] {
    scheduler_.wait_quiet(kWait);
    EXPECT_EQ(scheduler_.now(), 0u);
    tasks_.log();
  });
  Task& worker = tasks_.spawn(
      "w",
      [this] {
        scheduler_.block(kIdle);
        scheduler_.yield();
        tasks_.log();
      },
      true);
  tasks_.spawn("a", [&] {
    scheduler_.yield();
    scheduler_.wake(worker);
    tasks_.log();
  });
  tasks_.spawn("s", [this] {
    EXPECT_FALSE(scheduler_.block_until(kWait, 10));
    tasks_.log();
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "awqs");
}

TEST_F(TimeTest, QuietIsForOneAtATimeInOrder) {
  for (const char* name : {"a", "b", "c"}) {
    tasks_.spawn(name, [this] {
      scheduler_.wait_quiet(kWait);
      tasks_.log();
      scheduler_.yield();  // still the only one
      tasks_.log();
      scheduler_.wait_quiet(kWait);
      tasks_.log();
    });
  }
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "aabbccabc");
}

TEST_F(TimeTest, ADueTimerIsNotQuiet) {
  NamedTimer timer(tasks_, "t");
  tasks_.spawn("q", [&] {
    scheduler_.arm(timer, scheduler_.now());
    scheduler_.wait_quiet(kWait);
    tasks_.log();
  });
  scheduler_.run();
  EXPECT_EQ(tasks_.order, "tq");
}

TEST_F(TimeTest, QuietForGoodWaitsForTimers) {
  tasks_.spawn("g", [this] {
    scheduler_.wait_quiet(kWait, Quiet::for_good);
    EXPECT_EQ(scheduler_.now(), 10u);
    tasks_.log();
  });
  tasks_.spawn("s", [this] {
    EXPECT_FALSE(scheduler_.block_until(kWait, 10));
    tasks_.log();
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "sg");
}

TEST_F(TimeTest, AnIdleTaskIsReleasedWhenAllOthersAreDone) {
  NamedTimer never(tasks_, "t");
  scheduler_.arm(never, 10);
  tasks_.spawn("g", [this] {
    EXPECT_FALSE(scheduler_.block_until_quiet(kIdle, Quiet::for_good));
    tasks_.log();
  });
  tasks_.spawn("a", [this] { tasks_.log(); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "ag");
}

TEST_F(TimeTest, AWakeEndsBlockUntilQuietButNotWaitQuiet) {
  Task& first = tasks_.spawn("f", [this] {
    EXPECT_TRUE(scheduler_.block_until_quiet(kWait, Quiet::now));
    tasks_.log();
  });
  Task& second = tasks_.spawn("s", [this] {
    scheduler_.wait_quiet(kWait);
    tasks_.log();
  });
  tasks_.spawn("a", [&] {
    scheduler_.wake(first);
    scheduler_.wake(second);
    for (int i = 0; i < 3; ++i) scheduler_.yield();
    tasks_.log();
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "fas");
}

TEST_F(TimeTest, KillEndsAKillableWaitForQuiet) {
  Task& task = tasks_.spawn("q", [this] {
    scheduler_.wait_quiet(kKillable);
    tasks_.log();
  });
  tasks_.spawn("a", [&] {
    scheduler_.kill(task);
    scheduler_.yield();
    tasks_.log();
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "qa");
}

// --- on a real clock ---

// One that is set by hand.
struct HandClock final : Clock {
  TimeNs now() const override { return time; }
  TimeNs time = 0;
};

class RealClockTest : public testing::Test {
 protected:
  FifoStrategy fifo_;
  HandClock clock_;
  Tasks tasks_{fifo_, {.stacks = nullptr, .clock = &clock_}};
  FiberScheduler& scheduler_ = tasks_.scheduler;
};

TEST_F(RealClockTest, IdleSaysWhenTheNextTimerIsDue) {
  tasks_.spawn("a", [this] { EXPECT_FALSE(scheduler_.block_until(kWait, 100)); });
  RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::idle);
  EXPECT_EQ(end.next_timer, 100u);
  clock_.time = 99;
  EXPECT_EQ(scheduler_.run().next_timer, 100u);
  EXPECT_EQ(scheduler_.now(), 99u);
  clock_.time = 105;
  end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::idle);
  EXPECT_EQ(end.next_timer, RunEnd::kNoTimer);
}

TEST_F(RealClockTest, WhoWaitsForEverIsNoReportAndCanBeWokenFromOutside) {
  Task& task = tasks_.spawn("a", [this] {
    scheduler_.block(kWait);
    tasks_.log();
  });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::idle);
  EXPECT_EQ(end.report, ReportKind::none);
  EXPECT_EQ(end.next_timer, RunEnd::kNoTimer);
  scheduler_.wake(task);
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::idle);
  EXPECT_EQ(tasks_.order, "a");
}

TEST_F(RealClockTest, IsIdleOnceEverybodyHasFinished) {
  tasks_.spawn("a", [] {});
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::idle);
}

TEST_F(RealClockTest, ABrokenInvariantIsAReportThere) {
  tasks_.spawn("a", [this] { scheduler_.broken(ReportKind::warning, "text"); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::broken);
}

}  // namespace
}  // namespace coldread::sim
