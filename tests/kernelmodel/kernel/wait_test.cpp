// Completions, wait queues and waiting for flags: nothing is lost, nothing waits too long.
#include <string>
#include <vector>

#include "kernelmodel/kernel/bit_flags.h"
#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/wait_queue.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

class Waiting : public EverySchedule {};

TEST_P(Waiting, EachCompleteLetsOneThrough) {
  Completion completion(scheduler, "done");
  int through = 0;
  for (int i = 0; i < 5; i++)
    run.spawn("waiter", [&] {
      completion.wait();
      through++;
    });
  run.spawn("completer", [&] {
    for (int i = 0; i < 3; i++) completion.complete();
  });
  const sim::RunEnd end = scheduler.run();
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::hang);
  EXPECT_EQ(through, 3);
  EXPECT_EQ(end.waiting.size(), 2U);
}

TEST_P(Waiting, CompleteAllLetsEveryoneThroughUntilReinit) {
  Completion completion(scheduler, "done");
  for (int i = 0; i < 3; i++)
    run.spawn("waiter", [&] {
      completion.wait();
      completion.wait();
    });
  run.spawn("completer", [&] {
    completion.complete_all();
    completion.complete();
  });
  run.finish();
  EXPECT_TRUE(completion.done());
  completion.reinit();
  EXPECT_FALSE(completion.done());
}

// Whoever is killed may have been chosen by complete(): then another one must be woken instead.
TEST_P(Waiting, AKilledWaiterTakesNoCompletionWithIt) {
  Completion completion(scheduler, "done");
  int results = 0;
  Task* victims[2];
  for (Task*& victim : victims)
    victim = &run.spawn("victim", [&] {
      const int result = completion.wait_killable();
      EXPECT_TRUE(result == 0 || result == -ERESTARTSYS);
      if (result == 0) completion.complete();
      results++;
    });
  run.spawn("survivor", [&] {
    completion.wait();
    completion.complete();
  });
  run.spawn("completer", [&] { completion.complete(); });
  for (Task* victim : victims) run.spawn("killer", [this, victim] { scheduler.kill(*victim); });
  run.finish();
  EXPECT_EQ(results, 2);
}

TEST_P(Waiting, NoWakeUpIsLost) {
  WaitQueue queue(scheduler, "queue");
  static constexpr int kItems = 20;
  int items = 0;
  int taken = 0;
  for (int i = 0; i < 2; i++) {
    run.spawn("consumer", [&] {
      for (int n = 0; n < kItems; n++) {
        queue.wait_event([&] {
          run.pause();
          return items > 0;
        });
        items--;
        taken++;
        run.pause();
      }
    });
    run.spawn("producer", [&] {
      for (int n = 0; n < kItems; n++) {
        items++;
        queue.wake_up_one();
      }
    });
  }
  run.finish();
  EXPECT_EQ(taken, 2 * kItems);
  EXPECT_FALSE(queue.active());
}

TEST_P(Waiting, AWakeUpBetweenLookAndSleepIsNotLost) {
  WaitQueue queue(scheduler, "queue");
  bool go = false;
  run.spawn("waiter", [&] {
    queue.wait_event([&] {
      const bool seen = go;
      run.pause();
      return seen;
    });
  });
  run.spawn("waker", [&] {
    go = true;
    queue.wake_up_all();
  });
  run.finish();
}

TEST_P(Waiting, WakeUpAllWakesEveryone) {
  WaitQueue queue(scheduler, "queue");
  bool go = false;
  int gone = 0;
  for (int i = 0; i < 5; i++)
    run.spawn("waiter", [&] {
      queue.wait_event([&] { return go; });
      gone++;
    });
  run.spawn("waker", [&] {
    run.pause();
    go = true;
    queue.wake_up_all();
  });
  run.finish();
  EXPECT_EQ(gone, 5);
}

// poll(): one task on two queues, whichever comes first.
TEST_P(Waiting, OneTaskWaitsOnSeveralQueues) {
  WaitQueue queues[] = {{scheduler, "first"}, {scheduler, "second"}};
  bool ready[2] = {};
  int seen = 0;
  run.spawn("poller", [&] {
    while (seen < 2) {
      WaitQueue::Entry first(*scheduler.current());
      WaitQueue::Entry second(*scheduler.current());
      for (;;) {
        queues[0].add(first);
        queues[1].add(second);
        run.pause();
        if (ready[0] || ready[1]) break;
        if (!first.woken() && !second.woken()) scheduler.block(WaitReason{.kind = "poll"});
      }
      queues[0].remove(first);
      queues[1].remove(second);
      seen += ready[0] + ready[1];
      ready[0] = ready[1] = false;
    }
  });
  for (int i = 0; i < 2; i++)
    run.spawn("waker", [&, i] {
      ready[i] = true;
      queues[i].wake_up_all();
    });
  run.finish();
  EXPECT_FALSE(queues[0].active());
  EXPECT_FALSE(queues[1].active());
}

TEST_P(Waiting, FlagsAreAtomicAndWaitedFor) {
  BitFlags flags(scheduler, "flags");
  int inside = 0;
  int turns = 0;
  for (int i = 0; i < 3; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 4; round++) {
        while (flags.test_and_set(5)) flags.wait_on_bit(5);
        EXPECT_EQ(inside++, 0);
        run.pause();
        inside--;
        turns++;
        flags.clear_and_wake_up(5);
      }
    });
  run.finish();
  EXPECT_EQ(turns, 12);
  EXPECT_EQ(flags.value(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Waiting, schedules());

class Waits : public OneSchedule {
 protected:
  // Runs `body` in a task named "victim" that is killed when it waits.
  void killed_while_waiting(std::function<void()> body) {
    Task& victim = run.spawn("victim", std::move(body));
    run.spawn("killer", [&] { scheduler.kill(victim); });
    run.finish();
  }
};

TEST_F(Waits, CompletionBeforeTheWait) {
  Completion completion(scheduler, "done");
  run.spawn("task", [&] {
    EXPECT_FALSE(completion.done());
    completion.complete();
    EXPECT_TRUE(completion.done());
    completion.wait();
    EXPECT_FALSE(completion.done());
  });
  run.finish();
}

TEST_F(Waits, AFatalSignalEndsAKillableWait) {
  Completion completion(scheduler, "done");
  int result = 0;
  killed_while_waiting([&] { result = completion.wait_killable(); });
  EXPECT_EQ(result, -ERESTARTSYS);
}

TEST_F(Waits, WhatIsDoneWinsOverASignal) {
  Completion completion(scheduler, "done");
  int first = 1;
  int second = 1;
  killed_while_waiting([&] {
    scheduler.yield();
    completion.complete();
    first = completion.wait_killable();
    second = completion.wait_killable();
  });
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, -ERESTARTSYS);
}

TEST_F(Waits, AFatalSignalDoesNotEndOtherWaits) {
  Completion completion(scheduler, "done");
  Task& victim = run.spawn("victim", [&] { completion.wait(); });
  run.spawn("killer", [&] { scheduler.kill(victim); });
  const sim::RunEnd end = scheduler.run();
  ASSERT_EQ(end.waiting.size(), 1U);
  EXPECT_STREQ(end.waiting[0].reason.kind, "completion");
  EXPECT_STREQ(end.waiting[0].reason.name, "done");
}

TEST_F(Waits, WaitEventKillable) {
  WaitQueue queue(scheduler, "queue");
  int result = 0;
  killed_while_waiting([&] { result = queue.wait_event_killable([] { return false; }); });
  EXPECT_EQ(result, -ERESTARTSYS);
  EXPECT_FALSE(queue.active());
}

TEST_F(Waits, ADeadlineEndsTheWaitAndNotBefore) {
  WaitQueue queue(scheduler, "queue");
  bool ready = true;
  run.spawn("waiter", [&] {
    ready = queue.wait_event_until([] { return false; }, 20 * kNsPerSecond);
    EXPECT_EQ(scheduler.now(), 20 * kNsPerSecond);
  });
  run.spawn("waker", [&] { queue.wake_up_all(); });
  run.finish();
  EXPECT_FALSE(ready);
  EXPECT_FALSE(queue.active());
}

TEST_F(Waits, ReadyBeforeTheDeadline) {
  WaitQueue queue(scheduler, "queue");
  bool go = false;
  bool ready = false;
  run.spawn("waiter", [&] { ready = queue.wait_event_until([&] { return go; }, kNsPerSecond); });
  run.spawn("waker", [&] {
    go = true;
    queue.wake_up_all();
  });
  run.finish();
  EXPECT_TRUE(ready);
  EXPECT_EQ(scheduler.now(), 0U);
}

TEST_F(Waits, WakeUpOneWakesTheLongestWaiter) {
  WaitQueue queue(scheduler, "queue");
  int tickets = 0;
  std::string order;
  for (char name = 'a'; name <= 'c'; name++)
    run.spawn("waiter", [&, name] {
      queue.wait_event([&] { return tickets > 0; });
      tickets--;
      order += name;
    });
  run.spawn("waker", [&] {
    tickets = 1;
    queue.wake_up_one();
    scheduler.yield();
    EXPECT_EQ(order, "a");
    tickets = 2;
    queue.wake_up_all();
  });
  run.finish();
  EXPECT_EQ(order, "abc");
}

TEST_F(Waits, AnEntryMayCallAFunctionAndStay) {
  struct Watcher {
    WaitQueue queue;
    WaitQueue::Entry entry;
    int calls = 0;
  } watcher{{scheduler, "queue"},
            {[](void* arg) {
               auto& self = *static_cast<Watcher*>(arg);
               self.calls++;
               self.queue.add(self.entry);
             },
             &watcher}};
  run.spawn("waker", [&] {
    watcher.queue.wake_up_all();
    EXPECT_EQ(watcher.calls, 0);
    watcher.queue.add(watcher.entry);
    watcher.queue.wake_up_all();
    EXPECT_EQ(watcher.calls, 1);
    watcher.queue.wake_up_all();
    EXPECT_EQ(watcher.calls, 2);
    watcher.queue.remove(watcher.entry);
    watcher.queue.wake_up_all();
    EXPECT_EQ(watcher.calls, 2);
  });
  run.finish();
}

TEST_F(Waits, TimersMayWake) {
  Completion completion(scheduler, "done");
  Timer timer;
  timer.fn = [](void* arg) { static_cast<Completion*>(arg)->complete(); };
  timer.arg = &completion;
  run.spawn("waiter", [&] {
    scheduler.arm(timer, 7);
    completion.wait();
    EXPECT_EQ(scheduler.now(), 7U);
  });
  run.finish();
}

TEST_F(Waits, FlagOperations) {
  BitFlags flags(scheduler, "flags", 0x5);
  run.spawn("task", [&] {
    EXPECT_EQ(flags.value(), 0x5U);
    EXPECT_TRUE(flags.test(0));
    EXPECT_FALSE(flags.test(1));
    flags.set(63);
    EXPECT_TRUE(flags.test_and_set(63));
    EXPECT_FALSE(flags.test_and_set(1));
    flags.clear(2);
    EXPECT_TRUE(flags.test_and_clear(0));
    EXPECT_FALSE(flags.test_and_clear(0));
    EXPECT_EQ(flags.value(), (uint64_t{1} << 63) | 2);
  });
  run.finish();
}

TEST_F(Waits, ClearingAFlagWakesNobody) {
  BitFlags flags(scheduler, "cookie->flags", 1);
  run.spawn("waiter", [&] { flags.wait_on_bit(0); });
  run.spawn("clearer", [&] { flags.clear(0); });
  const sim::RunEnd end = scheduler.run();
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::hang);
  ASSERT_EQ(end.waiting.size(), 1U);
  EXPECT_STREQ(end.waiting[0].reason.kind, "wait_on_bit");
  EXPECT_STREQ(end.waiting[0].reason.name, "cookie->flags");
}

TEST_F(Waits, FlagWaitsWithSignalDeadlineAndCondition) {
  BitFlags flags(scheduler, "flags", 1);
  int killable = 0;
  killed_while_waiting([&] { killable = flags.wait_on_bit_killable(0); });
  EXPECT_EQ(killable, -ERESTARTSYS);
  bool clear = true;
  bool both = false;
  run.spawn("waiter", [&] {
    clear = flags.wait_on_bit_until(0, 5);
    flags.wait_until([&] { return flags.value() == 3; });
    both = true;
  });
  run.spawn("setter", [&] {
    scheduler.block_until(WaitReason{}, 9);
    flags.set(1);
    flags.wake_up_bit();
  });
  run.finish();
  EXPECT_FALSE(clear);
  EXPECT_TRUE(both);
}

}  // namespace
}  // namespace coldread
