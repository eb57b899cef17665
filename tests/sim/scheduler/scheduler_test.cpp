// Tasks, waiting, killing and the ways in which a run ends.
#include "sim/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/sim/scheduler/tasks.h"

namespace coldread::sim {
namespace {

class SchedulerTest : public testing::Test {
 protected:
  FifoStrategy fifo_;
  Tasks tasks_{fifo_};
  FiberScheduler& scheduler_ = tasks_.scheduler;
};

TEST_F(SchedulerTest, RunsInOrderOfSpawning) {
  for (const char* name : {"a", "b", "c"}) {
    tasks_.spawn(name, [this] {
      tasks_.log();
      scheduler_.preemption_point(this);
      tasks_.log();
    });
  }
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::finished);
  EXPECT_EQ(end.report, ReportKind::none);
  EXPECT_EQ(tasks_.order, "aabbcc");
}

TEST_F(SchedulerTest, TasksKnowThemselves) {
  Task* seen = nullptr;
  std::string name = "reader";
  Task& task = scheduler_.spawn(
      name, false, [](void* arg) { *static_cast<Task**>(arg) = Scheduler::running()->current(); },
      &seen);
  name = "gone";
  EXPECT_STREQ(task.name, "reader");
  EXPECT_EQ(task.pid, 1u);
  EXPECT_EQ(tasks_.spawn("second", [] {}).pid, 2u);
  EXPECT_EQ(scheduler_.current(), nullptr);
  scheduler_.run();
  EXPECT_EQ(seen, &task);
  EXPECT_EQ(task.state, TaskState::finished);
  EXPECT_EQ(scheduler_.current(), nullptr);
}

TEST_F(SchedulerTest, WokenTasksQueueUpBehindTheRunnable) {
  Task& a = tasks_.spawn("a", [this] {
    scheduler_.block(kWait);
    tasks_.log();
  });
  tasks_.spawn("b", [this, &a] {
    EXPECT_EQ(a.state, TaskState::waiting);
    EXPECT_STREQ(a.waiting.kind, "wait queue");
    tasks_.spawn("d", [this] { tasks_.log(); });
    scheduler_.wake(a);
    scheduler_.wake(a);
    EXPECT_EQ(a.state, TaskState::runnable);
    tasks_.log();
  });
  tasks_.spawn("c", [this] { tasks_.log(); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "bcda");
}

TEST_F(SchedulerTest, WakingWhoDoesNotWaitDoesNothing) {
  Task& a = tasks_.spawn("a", [this] { scheduler_.wake(*scheduler_.current()); });
  tasks_.spawn("b", [this, &a] {
    ASSERT_EQ(a.state, TaskState::finished);
    scheduler_.wake(a);
    scheduler_.kill(a);
    EXPECT_EQ(a.state, TaskState::finished);
    scheduler_.wake(*scheduler_.current());
    scheduler_.block(kWait);  // not ended by the wake before it
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::hang);
}

TEST_F(SchedulerTest, YieldLetsTheOthersGoFirst) {
  for (const char* name : {"a", "b"}) {
    tasks_.spawn(name, [this] {
      for (int i = 0; i < 3; ++i) {
        tasks_.log();
        scheduler_.yield();
      }
    });
  }
  scheduler_.run();
  EXPECT_EQ(tasks_.order, "ababab");
}

TEST_F(SchedulerTest, ExceptionsStayOnTheirStack) {
  for (const char* name : {"a", "b"}) {
    tasks_.spawn(name, [this] {
      scheduler_.yield();
      try {
        throw std::runtime_error("x");
      } catch (const std::runtime_error&) {
        tasks_.log();
      }
      scheduler_.yield();
    });
  }
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "ab");
}

// --- kill ---------------------------------------------------------------------------------------

TEST_F(SchedulerTest, KillEndsOnlyKillableWaits) {
  Task& killable = tasks_.spawn("k", [this] {
    scheduler_.block(kKillable);
    EXPECT_TRUE(scheduler_.current()->fatal_signal);
    scheduler_.block(kKillable);  // a pending signal: no wait at all
    tasks_.log();
  });
  Task& deaf = tasks_.spawn("u", [this] {
    scheduler_.block(kWait);
    tasks_.log();
  });
  Task& worker = tasks_.spawn(
      "w",
      [this] {
        scheduler_.block(kKillable);
        tasks_.log();
      },
      true);
  tasks_.spawn("killer", [&] {
    for (Task* task : {&killable, &deaf, &worker}) scheduler_.kill(*task);
  });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(tasks_.order, "k");
  EXPECT_TRUE(deaf.fatal_signal);
  EXPECT_FALSE(worker.fatal_signal);
  ASSERT_EQ(end.waiting.size(), 2u);
  EXPECT_EQ(end.waiting[0].name, "u");
  EXPECT_FALSE(end.waiting[0].kthread);
  EXPECT_EQ(end.waiting[1].name, "w");
  EXPECT_TRUE(end.waiting[1].kthread);
}

TEST_F(SchedulerTest, KillBeforeTheFirstStep) {
  Task& task = tasks_.spawn("a", [this] {
    scheduler_.block(kKillable);
    tasks_.log();
  });
  scheduler_.kill(task);
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "a");
}

// --- the end of a run ---------------------------------------------------------------------------

TEST_F(SchedulerTest, HangNamesWhoWaitsForWhat) {
  tasks_.spawn("done", [] {});
  tasks_.spawn("reader", [this] { scheduler_.block(kKillable); });
  tasks_.spawn(
      "worker", [this] { scheduler_.block(kIdle); }, true);
  tasks_.spawn("daemon", [this] { scheduler_.block(kWait); });
  const RunEnd end = scheduler_.run();
  ASSERT_EQ(end.kind, RunEnd::Kind::hang);
  EXPECT_EQ(end.report, ReportKind::hang);
  EXPECT_FALSE(end.text.empty());
  ASSERT_EQ(end.waiting.size(), 2u);
  EXPECT_EQ(end.waiting[0].pid, 2u);
  EXPECT_EQ(end.waiting[0].name, "reader");
  EXPECT_STREQ(end.waiting[0].reason.kind, "completion");
  EXPECT_TRUE(end.waiting[0].reason.killable);
  EXPECT_EQ(end.waiting[1].name, "daemon");
}

TEST_F(SchedulerTest, IdleWorkersDoNotKeepARunFromFinishing) {
  Task& worker = tasks_.spawn(
      "w",
      [this] {
        for (;;) {
          scheduler_.block(kIdle);
          tasks_.log();
        }
      },
      true);
  tasks_.spawn("a", [&] { scheduler_.wake(worker); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(tasks_.order, "w");
  EXPECT_EQ(worker.state, TaskState::waiting);
}

TEST_F(SchedulerTest, RunsOnAfterHangAndFinish) {
  Task& a = tasks_.spawn("a", [this] {
    scheduler_.block(kWait);
    tasks_.log();
  });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::hang);
  scheduler_.wake(a);
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
  tasks_.spawn("b", [this] { tasks_.log(); });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::finished);
  EXPECT_TRUE(end.waiting.empty());
  EXPECT_EQ(tasks_.order, "ab");
}

TEST_F(SchedulerTest, BrokenEndsTheRunAtOnce) {
  struct Unwound {
    bool* flag;
    ~Unwound() { *flag = true; }
  };
  bool unwound = false;
  tasks_.spawn("reader", [this] { scheduler_.block(kWait); });
  tasks_.spawn("culprit", [&] {
    const Unwound guard{&unwound};
    scheduler_.broken(ReportKind::use_after_free, "object 7");
  });
  tasks_.spawn("next", [this] { tasks_.log(); });
  for (int i = 0; i < 2; ++i) {
    const RunEnd end = scheduler_.run();
    EXPECT_EQ(end.kind, RunEnd::Kind::broken);
    EXPECT_EQ(end.report, ReportKind::use_after_free);
    EXPECT_EQ(end.text, "object 7");
    EXPECT_EQ(end.task, "culprit");
    ASSERT_EQ(end.waiting.size(), 1u);
    EXPECT_EQ(end.waiting[0].name, "reader");
  }
  EXPECT_EQ(tasks_.order, "");
  scheduler_.drop();
  EXPECT_FALSE(unwound);
}

TEST_F(SchedulerTest, BrokenInATimer) {
  Timer timer;
  timer.fn = [](void* arg) { static_cast<Scheduler*>(arg)->broken(ReportKind::warning, "late"); };
  timer.arg = &scheduler_;
  scheduler_.arm(timer, 10);
  tasks_.spawn("a", [this] { scheduler_.block(kWait); });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::broken);
  EXPECT_EQ(end.report, ReportKind::warning);
  EXPECT_EQ(end.task, "");
}

TEST_F(SchedulerTest, SleepingWithASpinLockIsReported) {
  tasks_.spawn("a", [this] {
    scheduler_.current()->spin_count = 1;
    scheduler_.block(kWait);
    tasks_.log();
  });
  const RunEnd end = scheduler_.run();
  EXPECT_EQ(end.report, ReportKind::sleeping_in_atomic);
  EXPECT_EQ(end.text, "a waits for wait queue test while it holds a spin lock");
  EXPECT_EQ(tasks_.order, "");
}

TEST_F(SchedulerTest, WaitingInATimerIsReported) {
  Timer timer;
  timer.fn = [](void* arg) { static_cast<Scheduler*>(arg)->block(kWait); };
  timer.arg = &scheduler_;
  scheduler_.arm(timer, 10);
  tasks_.spawn("a", [this] { scheduler_.block(kWait); });
  EXPECT_EQ(scheduler_.run().report, ReportKind::sleeping_in_atomic);
}

TEST_F(SchedulerTest, BrokenOutsideOfARunAborts) {
  EXPECT_DEATH(scheduler_.broken(ReportKind::leak, "two objects"), "leak: two objects");
}

TEST(SchedulerLimit, EndlessRunIsAHang) {
  FifoStrategy fifo;
  Tasks tasks(fifo, {nullptr, 1000});
  for (const char* name : {"a", "b"}) {
    tasks.spawn(name, [&] {
      for (;;) tasks.scheduler.yield();
    });
  }
  tasks.spawn("reader", [&] { tasks.scheduler.block(kWait); });
  const RunEnd end = tasks.scheduler.run();
  EXPECT_EQ(end.kind, RunEnd::Kind::hang);
  EXPECT_EQ(end.report, ReportKind::hang);
  ASSERT_EQ(end.waiting.size(), 1u);
  EXPECT_EQ(end.waiting[0].name, "reader");
}

// Alone, or under a strategy that nobody asks: it does not even pass the decisions that are
// counted.
TEST(SchedulerLimit, ATaskThatNeverLetsGoIsAHang) {
  FifoStrategy fifo;
  RandomStrategy random(1);
  for (SchedulingStrategy* strategy :
       {static_cast<SchedulingStrategy*>(&fifo), static_cast<SchedulingStrategy*>(&random)}) {
    for (const bool tells_alone : {false, true}) {
      FiberScheduler::Options options;
      options.max_steps = 1000;
      options.tells_alone = tells_alone;
      Tasks tasks(*strategy, options);
      uint64_t points = 0;
      tasks.spawn("reader", [&] { tasks.scheduler.block(kWait); });
      tasks.spawn("busy", [&] {
        for (;; points++) tasks.scheduler.preemption_point(&points);
      });
      const RunEnd end = tasks.scheduler.run();
      EXPECT_EQ(end.report, ReportKind::hang);
      EXPECT_EQ(end.task, "busy");
      const bool told = tells_alone && strategy->preemptive();
      const uint64_t expected = 1000 * (told ? 1 : FiberScheduler::kUndecidedPoints);
      EXPECT_LE(points, expected);
      EXPECT_GT(points, expected * 9 / 10);
    }
  }
}

TEST_F(SchedulerTest, DroppedTasksCountAsFinished) {
  Task& task = tasks_.spawn("a", [this] { scheduler_.block(kWait); });
  scheduler_.run();
  scheduler_.drop();
  EXPECT_EQ(task.state, TaskState::finished);
  scheduler_.wake(task);
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
}

TEST_F(SchedulerTest, OfSeveralTheOneThatRunsIsTheThreads) {
  const FiberScheduler other(fifo_);
  tasks_.spawn("a", [this] { EXPECT_EQ(Scheduler::running(), &scheduler_); });
  EXPECT_EQ(scheduler_.run().kind, RunEnd::Kind::finished);
}

TEST_F(SchedulerTest, StepsCountDecisions) {
  EXPECT_EQ(scheduler_.steps(), 0u);
  for (const char* name : {"a", "b"}) tasks_.spawn(name, [this] { scheduler_.yield(); });
  scheduler_.run();
  EXPECT_EQ(scheduler_.steps(), 4u);
}

}  // namespace
}  // namespace coldread::sim
