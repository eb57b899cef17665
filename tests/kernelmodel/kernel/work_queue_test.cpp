// Work queues: each work once at a time, none held up, flushing and cancelling.
#include "kernelmodel/kernel/work_queue.h"

#include <optional>
#include <string>
#include <vector>

#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/mutex.h"
#include "kernelmodel/kernel/pool.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

// A work that is a lambda.
struct LambdaWork {
  explicit LambdaWork(std::function<void()> its_body)
      : body(std::move(its_body)),
        work([](void* arg) { static_cast<LambdaWork*>(arg)->body(); }, this) {}
  std::function<void()> body;
  Work work;
};

class Works : public EverySchedule {
 protected:
  WorkQueue queue{scheduler, "fscache"};
};

TEST_P(Works, QueuedAgainWhileRunningItRunsAgainButNeverTwiceAtOnce) {
  int inside = 0;
  int seen = 0;  // by the latest run
  int queued = 0;
  LambdaWork work([&] {
    EXPECT_EQ(inside++, 0);
    seen = queued;
    run.pause();
    inside--;
  });
  for (int i = 0; i < 3; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 5; round++) {
        queued++;
        queue.queue(work.work);
      }
    });
  run.finish();
  EXPECT_EQ(seen, queued);
  EXPECT_FALSE(work.work.pending());
}

TEST_P(Works, BlockedWorkHoldsUpNothing) {
  Completion last(scheduler, "last");
  int done = 0;
  std::deque<LambdaWork> works;
  for (int i = 0; i < 5; i++)
    works.emplace_back([&] {
      last.wait();
      done++;
    });
  works.emplace_back([&] { last.complete_all(); });
  run.spawn("task", [&] {
    for (LambdaWork& work : works) queue.queue(work.work);
  });
  run.finish();
  EXPECT_EQ(done, 5);
}

TEST_P(Works, AsManyBlockedWorksAsMayRunHoldUpTheRest) {
  constexpr int kMore = 3;
  Completion one(scheduler, "one");
  int begun = 0;
  int done = 0;
  std::deque<LambdaWork> works;
  for (unsigned i = 0; i < WorkQueue::kMaxActive + kMore; i++)
    works.emplace_back([&] {
      begun++;
      one.wait();
      done++;
    });
  run.spawn("task", [&] {
    for (LambdaWork& work : works) queue.queue(work.work);
    while (begun < static_cast<int>(WorkQueue::kMaxActive)) scheduler.yield();
    for (int i = 0; i < 100; i++) scheduler.yield();
    EXPECT_EQ(begun, static_cast<int>(WorkQueue::kMaxActive));
    one.complete();
    queue.flush(works.back().work);
  });
  run.spawn("other", [&] {
    while (done == 0) scheduler.yield();
    while (begun == static_cast<int>(WorkQueue::kMaxActive)) scheduler.yield();
    EXPECT_GT(begun, static_cast<int>(WorkQueue::kMaxActive));
    one.complete_all();
  });
  run.finish();
  EXPECT_EQ(done, static_cast<int>(WorkQueue::kMaxActive) + kMore);
}

TEST_P(Works, FlushWaitsForTheLastQueueing) {
  int runs = 0;
  LambdaWork work([&] {
    run.pause();
    runs++;
  });
  for (int i = 0; i < 3; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 5; round++) {
        const int before = runs;
        const bool was_queued = queue.queue(work.work);
        queue.flush(work.work);
        EXPECT_TRUE(!was_queued || runs > before);
      }
    });
  run.finish();
  EXPECT_GE(runs, 5);
}

TEST_P(Works, AfterCancelItDoesNotRun) {
  bool may_run = true;
  int inside = 0;
  int runs = 0;
  LambdaWork work([&] {
    EXPECT_TRUE(may_run);
    inside++;
    run.pause();
    if (runs++ < 1000) queue.queue(work.work);  // as good as for ever
    run.pause();
    inside--;
  });
  run.spawn("canceller", [&] {
    queue.queue(work.work);
    for (int i = 0; i < 5; i++) run.pause();
    queue.cancel_sync(work.work);
    EXPECT_EQ(inside, 0);
    EXPECT_FALSE(work.work.pending());
    may_run = false;
  });
  run.finish();
}

TEST_P(Works, AFlushEndsWhenItsWorkIsCancelled) {
  LambdaWork work([&] { run.pause(); });
  run.spawn("flusher", [&] {
    queue.queue(work.work);
    queue.flush(work.work);
  });
  run.spawn("canceller", [&] { queue.cancel_sync(work.work); });
  run.finish();
}

TEST_P(Works, WorkMayFreeItself) {
  struct Request {
    explicit Request(Pool<Request>& its_pool)
        : pool(its_pool),
          work(
              [](void* arg) {
                auto& self = *static_cast<Request*>(arg);
                self.pool.destroy(Handle<Request>::of(self));
              },
              this) {}
    Pool<Request>& pool;
    Work work;
  };
  Pool<Request> pool(scheduler, "netfs_io_request");
  for (int i = 0; i < 3; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 3; round++) {
        const Handle<Request> request = pool.create(pool);
        queue.queue(request->work);
      }
    });
  run.finish();
  EXPECT_EQ(pool.live(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Works, schedules());

class WorkQueueTest : public OneSchedule {
 protected:
  // Delayed work that notes when it ran.
  struct Delayed {
    explicit Delayed(sim::FiberScheduler& its_scheduler)
        : scheduler(its_scheduler),
          work(
              [](void* arg) {
                auto& self = *static_cast<Delayed*>(arg);
                self.ran_at.push_back(self.scheduler.now());
              },
              this) {}
    sim::FiberScheduler& scheduler;
    DelayedWork work;
    std::vector<TimeNs> ran_at;
  };

  void sleep_until(TimeNs time) {
    while (scheduler.now() < time) scheduler.block_until(WaitReason{}, time);
  }

  WorkQueue queue{scheduler, "fscache"};
};

TEST_F(WorkQueueTest, RunsInOrderOnKernelWorkersThatAreReused) {
  std::string log;
  std::deque<LambdaWork> works;
  for (char name = 'a'; name <= 'd'; name++)
    works.emplace_back([&, name] {
      EXPECT_TRUE(scheduler.current()->kthread);
      log += name;
      log += scheduler.current()->name;
      log += ' ';
    });
  run.spawn("task", [&] {
    EXPECT_TRUE(queue.queue(works[0].work));
    EXPECT_TRUE(works[0].work.pending());
    EXPECT_FALSE(queue.queue(works[0].work));
    EXPECT_TRUE(queue.queue(works[1].work));
    scheduler.yield();
    EXPECT_FALSE(works[0].work.pending());
    queue.queue(works[2].work);
    queue.flush(works[2].work);
    queue.queue(works[3].work);
  });
  run.finish();
  EXPECT_EQ(log,
            "akworker/u:1-fscache bkworker/u:1-fscache ckworker/u:2-fscache dkworker/u:2-fscache ");
}

TEST_F(WorkQueueTest, FlushAndCancelSayWhetherThereWasAnything) {
  LambdaWork work([] {});
  run.spawn("task", [&] {
    EXPECT_FALSE(queue.flush(work.work));
    EXPECT_FALSE(queue.cancel_sync(work.work));
    queue.queue(work.work);
    EXPECT_TRUE(queue.flush(work.work));
    queue.queue(work.work);
    EXPECT_TRUE(queue.cancel_sync(work.work));
    EXPECT_TRUE(queue.queue(work.work));
  });
  run.finish();
}

TEST_F(WorkQueueTest, WorkThatIsCancelledCannotBeQueued) {
  Completion go(scheduler, "go");
  LambdaWork work([&] {
    go.wait();
    EXPECT_FALSE(queue.queue(work.work));
  });
  run.spawn("canceller", [&] {
    queue.queue(work.work);
    scheduler.yield();
    EXPECT_FALSE(queue.cancel_sync(work.work));
    EXPECT_TRUE(queue.queue(work.work));
    queue.cancel_sync(work.work);
  });
  run.spawn("starter", [&] {
    scheduler.yield();
    EXPECT_FALSE(queue.queue(work.work));
    go.complete();
  });
  run.finish();
}

TEST_F(WorkQueueTest, AWaitThatNeverEndsIsShownButIdleWorkersAreNot) {
  Completion never(scheduler, "never");
  LambdaWork quick([] {});
  LambdaWork stuck([&] { never.wait(); });
  run.spawn("task", [&] {
    queue.queue(quick.work);
    queue.queue(stuck.work);
    queue.flush(stuck.work);
  });
  const sim::RunEnd end = scheduler.run();
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::hang);
  ASSERT_EQ(end.waiting.size(), 2U);
  EXPECT_STREQ(end.waiting[0].reason.kind, "flush_work");
  EXPECT_STREQ(end.waiting[0].reason.name, "fscache");
  EXPECT_STREQ(end.waiting[1].reason.name, "never");
}

TEST_F(WorkQueueTest, PendingWorkMustNotGoAway) {
  run.spawn("task", [&] {
    Work work([](void*) {}, nullptr);
    queue.queue(work);
  });
  EXPECT_EQ(run.report(ReportKind::use_after_free),
            "work was freed by task while it was pending on fscache");
}

TEST_F(WorkQueueTest, ArmedDelayedWorkMustNotGoAway) {
  run.spawn("task", [&] {
    DelayedWork work([](void*) {}, nullptr);
    queue.queue_delayed(work, 5);
  });
  run.report(ReportKind::use_after_free);
}

TEST_F(WorkQueueTest, WorkMustGiveItsLocksBack) {
  Mutex mutex(scheduler, LockClass::test_a);
  LambdaWork work([&] { mutex.lock(); });
  run.spawn("task", [&] { queue.queue(work.work); });
  EXPECT_EQ(run.report(ReportKind::warning),
            "kworker/u:1-fscache (which holds test_a) ended its work without giving them back");
}

TEST_F(WorkQueueTest, DelayedWorkRunsWhenItsTimeComes) {
  Delayed delayed(scheduler);
  run.spawn("task", [&] {
    EXPECT_TRUE(queue.queue_delayed(delayed.work, 10));
    EXPECT_FALSE(queue.queue_delayed(delayed.work, 5));
    EXPECT_TRUE(delayed.work.pending());
    sleep_until(20);
    EXPECT_FALSE(delayed.work.pending());
    EXPECT_TRUE(queue.queue_delayed(delayed.work, 0));
    scheduler.yield();
    EXPECT_FALSE(queue.mod_delayed(delayed.work, 10));
    EXPECT_TRUE(queue.mod_delayed(delayed.work, 30));
    sleep_until(100);
  });
  run.finish();
  EXPECT_EQ(delayed.ran_at, (std::vector<TimeNs>{10, 20, 50}));
}

TEST_F(WorkQueueTest, DelayedWorkIsCancelled) {
  Delayed delayed(scheduler);
  run.spawn("task", [&] {
    EXPECT_FALSE(queue.cancel_delayed(delayed.work));
    queue.queue_delayed(delayed.work, 10);
    EXPECT_TRUE(queue.cancel_delayed(delayed.work));
    EXPECT_FALSE(delayed.work.pending());
    queue.queue_delayed(delayed.work, 0);
    EXPECT_TRUE(queue.cancel_delayed_sync(delayed.work));
    queue.queue_delayed(delayed.work, UINT64_MAX);
    EXPECT_TRUE(queue.cancel_delayed_sync(delayed.work));
    sleep_until(100);
  });
  run.finish();
  EXPECT_TRUE(delayed.ran_at.empty());
}

TEST_F(WorkQueueTest, WorkMayBeQueuedFromATimer) {
  int runs = 0;
  LambdaWork work([&] { runs++; });
  struct Both {
    WorkQueue& queue;
    Work& work;
  } both{queue, work.work};
  Timer timer;
  timer.fn = [](void* arg) {
    auto& self = *static_cast<Both*>(arg);
    self.queue.queue(self.work);
  };
  timer.arg = &both;
  run.spawn("task", [&] {
    scheduler.arm(timer, 10);
    sleep_until(20);
  });
  run.finish();
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace coldread
