// Mutual exclusion, fairness and misuse of spin locks, mutexes and read-write semaphores.
#include <mutex>
#include <string>
#include <vector>

#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/mutex.h"
#include "kernelmodel/kernel/rw_semaphore.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

class Locks : public EverySchedule {
 protected:
  // Four tasks that each add to a number in two steps.
  template <typename Lock>
  int contend(Lock& lock) {
    static constexpr int kTasks = 4;
    static constexpr int kRounds = 10;
    int number = 0;
    for (int i = 0; i < kTasks; i++)
      run.spawn("task", [&] {
        for (int round = 0; round < kRounds; round++) {
          std::lock_guard guard(lock);
          const int before = number;
          run.pause();
          number = before + 1;
        }
      });
    run.finish();
    EXPECT_FALSE(lock.is_locked());
    return number - kTasks * kRounds;
  }
};

TEST_P(Locks, SpinLockExcludes) {
  SpinLock lock(scheduler, LockClass::test_a);
  EXPECT_EQ(contend(lock), 0);
}

TEST_P(Locks, MutexExcludes) {
  Mutex mutex(scheduler, LockClass::test_a);
  EXPECT_EQ(contend(mutex), 0);
}

TEST_P(Locks, RwSemaphoreExcludesWriters) {
  RwSemaphore semaphore(scheduler, LockClass::test_a);
  EXPECT_EQ(contend(semaphore), 0);
}

TEST_P(Locks, TrylockExcludesAndGivesUp) {
  SpinLock lock(scheduler, LockClass::test_a);
  Mutex mutex(scheduler, LockClass::test_b);
  int inside = 0;
  int got = 0;
  for (int i = 0; i < 3; i++)
    run.spawn("task", [&] {
      if (!mutex.try_lock()) return;
      EXPECT_EQ(inside++, 0);
      run.pause();
      if (lock.try_lock()) {
        EXPECT_TRUE(lock.held());
        lock.unlock();
      }
      inside--;
      got++;
      mutex.unlock();
    });
  run.finish();
  EXPECT_GE(got, 1);
}

TEST_P(Locks, SpinLockMayBeAwaitedUnderAnother) {
  SpinLock outer_1(scheduler, LockClass::test_a);
  SpinLock outer_2(scheduler, LockClass::test_a);
  SpinLock inner(scheduler, LockClass::test_b);
  auto both = [&](SpinLock& outer) {
    std::lock_guard holds_outer(outer);
    std::lock_guard holds_inner(inner);
    run.pause();
    EXPECT_EQ(scheduler.current()->spin_count, 2);
  };
  run.spawn("one", [&] { both(outer_1); });
  run.spawn("two", [&] { both(outer_2); });
  run.spawn("three", [&] {
    std::lock_guard guard(inner);
    run.pause();
  });
  run.finish();
}

TEST_P(Locks, ReadersShareAndWritersDoNot) {
  RwSemaphore semaphore(scheduler, LockClass::test_a);
  int readers = 0;
  int writers = 0;
  for (int i = 0; i < 3; i++) {
    run.spawn("reader", [&] {
      for (int round = 0; round < 5; round++) {
        if (round % 2 == 0)
          semaphore.down_read();
        else if (!semaphore.down_read_trylock())
          continue;
        readers++;
        run.pause();
        EXPECT_EQ(writers, 0);
        readers--;
        semaphore.up_read();
      }
    });
    run.spawn("writer", [&] {
      for (int round = 0; round < 5; round++) {
        if (round % 2 == 0)
          semaphore.down_write();
        else if (!semaphore.down_write_trylock())
          continue;
        EXPECT_TRUE(semaphore.held_for_write());
        EXPECT_EQ(writers++, 0);
        run.pause();
        EXPECT_EQ(readers, 0);
        writers--;
        semaphore.up_write();
      }
    });
  }
  run.finish();
  EXPECT_FALSE(semaphore.is_locked());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Locks, schedules());

using LockOrder = OneSchedule;

// Each gets a lock that is held, writes its name and gives it up.
TEST_F(LockOrder, MutexGoesToTheLongestWaiter) {
  Mutex mutex(scheduler, LockClass::test_a);
  Completion everyone_waits(scheduler, "everyone waits");
  std::string order;
  run.spawn("holder", [&] {
    mutex.lock();
    everyone_waits.wait();
    mutex.unlock();
    mutex.lock();
    order += '0';
    mutex.unlock();
  });
  for (char name = '1'; name <= '3'; name++)
    run.spawn("waiter", [&, name] {
      std::lock_guard guard(mutex);
      order += name;
    });
  run.spawn("starter", [&] { everyone_waits.complete(); });
  run.finish();
  EXPECT_EQ(order, "1230");
}

TEST_F(LockOrder, ReadersQueueBehindAWaitingWriterAndComeTogether) {
  RwSemaphore semaphore(scheduler, LockClass::test_a);
  Completion go(scheduler, "go");
  std::string order;
  run.spawn("first reader", [&] {
    semaphore.down_read();
    order += "r(";
    go.wait();
    order += ")r ";
    semaphore.up_read();
  });
  run.spawn("second reader", [&] {
    semaphore.down_read();
    order += "r() ";
    semaphore.up_read();
  });
  run.spawn("writer", [&] {
    semaphore.down_write();
    order += "w() ";
    semaphore.up_write();
  });
  Completion both_in(scheduler, "both in");
  for (int i = 0; i < 2; i++)
    run.spawn("late reader", [&] {
      EXPECT_FALSE(semaphore.down_read_trylock());
      semaphore.down_read();
      order += "R(";
      if (order.find("R(R(") != std::string::npos) both_in.complete_all();
      both_in.wait();
      semaphore.up_read();
    });
  run.spawn("starter", [&] { go.complete(); });
  run.finish();
  EXPECT_EQ(order, "r(r() )r w() R(R(");
}

class LockMisuse : public OneSchedule {
 protected:
  template <typename Lock>
  void unlock_in_another_task(Lock& lock) {
    run.spawn("owner", [&] { lock.lock(); });
    Lock other(scheduler, LockClass::test_a);
    run.spawn("thief", [&] {
      other.lock();
      lock.unlock();
    });
    EXPECT_EQ(run.report(ReportKind::warning),
              "test_a was unlocked by thief, which does not hold it");
  }
};

TEST_F(LockMisuse, SpinLockUnlockedByAnother) {
  SpinLock lock(scheduler, LockClass::test_a);
  unlock_in_another_task(lock);
}

TEST_F(LockMisuse, MutexUnlockedByAnother) {
  Mutex mutex(scheduler, LockClass::test_a);
  unlock_in_another_task(mutex);
}

TEST_F(LockMisuse, RwSemaphoreUnlockedByAnother) {
  RwSemaphore semaphore(scheduler, LockClass::test_a);
  unlock_in_another_task(semaphore);
}

TEST_F(LockMisuse, UpReadWithoutDownRead) {
  RwSemaphore semaphore(scheduler, LockClass::test_a);
  run.spawn("reader", [&] { semaphore.down_read(); });
  run.spawn("thief", [&] { semaphore.up_read(); });
  run.report(ReportKind::warning);
}

TEST_F(LockMisuse, UnlockOfWhatIsFree) {
  SpinLock lock(scheduler, LockClass::test_a);
  run.spawn("task", [&] { lock.unlock(); });
  run.report(ReportKind::warning);
}

TEST_F(LockMisuse, LockTakenInATimer) {
  SpinLock lock(scheduler, LockClass::test_a);
  Timer timer;
  timer.fn = [](void* arg) { static_cast<SpinLock*>(arg)->lock(); };
  timer.arg = &lock;
  run.spawn("task", [&] {
    scheduler.arm(timer, 5);
    scheduler.block_until(WaitReason{}, 10);
  });
  EXPECT_EQ(run.report(ReportKind::warning), "test_a was taken in a timer");
}

TEST_F(LockMisuse, AHangNamesTheLock) {
  Mutex mutex(scheduler, LockClass::cachefiles_daemon_mutex);
  run.spawn("owner", [&] { mutex.lock(); });
  run.spawn("waiter", [&] { mutex.lock(); });
  const sim::RunEnd end = scheduler.run();
  ASSERT_EQ(end.kind, sim::RunEnd::Kind::hang);
  ASSERT_EQ(end.waiting.size(), 1U);
  EXPECT_EQ(end.waiting[0].name, "waiter");
  EXPECT_STREQ(end.waiting[0].reason.kind, "mutex");
  EXPECT_STREQ(end.waiting[0].reason.name, "cache->daemon_mutex");
}

}  // namespace
}  // namespace coldread
