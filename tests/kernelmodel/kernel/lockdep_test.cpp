// Lock orders that could deadlock, and sleeping with a spin lock held.
#include "kernelmodel/kernel/bit_flags.h"
#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/mutex.h"
#include "kernelmodel/kernel/rw_semaphore.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/work_queue.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

class LockdepTest : public OneSchedule {
 protected:
  template <typename First, typename Second>
  void take(First& first, Second& second) {
    first.lock();
    second.lock();
    second.unlock();
    first.unlock();
  }

  Mutex a{scheduler, LockClass::test_a};
  Mutex b{scheduler, LockClass::test_b};
  SpinLock c{scheduler, LockClass::test_c};
};

TEST_F(LockdepTest, EveryClassHasItsName) {
  EXPECT_STREQ(lock_class_name(LockClass::fscache_addremove_sem), "fscache_addremove_sem");
  EXPECT_STREQ(lock_class_name(LockClass::cachefiles_reqs_lock), "cache->reqs.xa_lock");
  EXPECT_STREQ(lock_class_name(LockClass::inode_rwsem), "inode->i_rwsem");
  EXPECT_STREQ(lock_class_name(LockClass::test_c), "test_c");
}

TEST_F(LockdepTest, BothOrdersAreReportedThoughTheyNeverMeet) {
  run.spawn("first", [&] { take(a, b); });
  run.spawn("second", [&] { take(b, a); });
  EXPECT_EQ(run.report(ReportKind::lock_order),
            "test_b -> test_a is the order of second (which holds test_b), but known is "
            "test_a -> test_b (by first)");
}

TEST_F(LockdepTest, OrdersAreTransitive) {
  run.spawn("first", [&] { take(a, b); });
  run.spawn("second", [&] { take(b, c); });
  run.spawn("third", [&] {
    c.lock();
    a.try_lock();  // cannot deadlock
    a.unlock();
    c.unlock();
    SpinLock other(scheduler, LockClass::test_a);
    c.lock();
    other.lock();
  });
  EXPECT_EQ(run.report(ReportKind::lock_order),
            "test_c -> test_a is the order of third (which holds test_c), but known is "
            "test_a -> test_b (by first) -> test_c (by second)");
}

TEST_F(LockdepTest, TheOrderCountsEvenWhereTheLockIsContended) {
  Completion has_a(scheduler, "has a");
  Completion has_b(scheduler, "has b");
  run.spawn("first", [&] {
    a.lock();
    has_a.complete();
    has_b.wait();
    b.lock();
  });
  run.spawn("second", [&] {
    has_a.wait();
    b.lock();
    has_b.complete();
    a.lock();
  });
  run.report(ReportKind::lock_order);
}

TEST_F(LockdepTest, TheSameOrderAgainAndOtherReleasesAreFine) {
  run.spawn("task", [&] {
    for (int i = 0; i < 3; i++) {
      a.lock();
      b.lock();
      c.lock();
      a.unlock();
      c.unlock();
      b.unlock();
      EXPECT_EQ(scheduler.current()->held_count, 0);
      EXPECT_EQ(scheduler.current()->spin_count, 0);
    }
    take(b, c);
    take(a, c);
  });
  run.finish();
}

TEST_F(LockdepTest, ReleasingInTheMiddleKeepsTheOthers) {
  Mutex other(scheduler, LockClass::file_pos_lock);
  run.spawn("task", [&] {
    a.lock();
    b.lock();
    a.unlock();
    other.lock();
    other.unlock();
    b.unlock();
    take(a, other);
    take(other, b);
  });
  EXPECT_EQ(run.report(ReportKind::lock_order),
            "file->f_pos_lock -> test_b is the order of task (which holds file->f_pos_lock), but "
            "known is test_b -> file->f_pos_lock (by task)");
}

TEST_F(LockdepTest, TwoOfAClass) {
  Mutex other(scheduler, LockClass::test_a);
  run.spawn("task", [&] { take(a, other); });
  EXPECT_EQ(run.report(ReportKind::lock_order),
            "test_a is taken by task (which holds test_a): two of one class without nesting");
}

TEST_F(LockdepTest, TheSameLockTwice) {
  run.spawn("task", [&] {
    c.lock();
    c.lock();
  });
  run.report(ReportKind::lock_order);
}

TEST_F(LockdepTest, NestingAllowsTwoOfAClass) {
  RwSemaphore directory(scheduler, LockClass::inode_rwsem);
  RwSemaphore file(scheduler, LockClass::inode_rwsem);
  Mutex other(scheduler, LockClass::test_a);
  run.spawn("task", [&] {
    directory.down_write_nested();
    file.down_write();
    file.up_write();
    directory.up_write();
    a.lock();
    other.lock_nested();
    other.unlock();
    a.unlock();
  });
  run.finish();
}

TEST_F(LockdepTest, MoreLocksThanATaskCanHold) {
  run.spawn("task", [&] {
    for (int i = 0; i <= Task::kMaxHeldLocks; i++)
      (new (scheduler.memory().allocate(sizeof(Mutex))) Mutex(scheduler, LockClass::test_a))
          ->lock_nested();
  });
  run.report(ReportKind::warning);
}

TEST_F(LockdepTest, EachRunStartsAfresh) {
  TestRun other;
  run.spawn("task", [&] { take(a, b); });
  Mutex other_a(other.scheduler, LockClass::test_a);
  Mutex other_b(other.scheduler, LockClass::test_b);
  other.spawn("task", [&] { take(other_b, other_a); });
  run.finish();
  other.finish();
}

// What may sleep, and whether it would this time.
class SleepingInAtomic : public LockdepTest {
 protected:
  template <typename Sleep>
  void under_a_spin_lock(const char* text, Sleep sleep) {
    run.spawn("task", [&] {
      c.lock();
      c.unlock();
      sleep();  // fine
    });
    run.finish();
    run.spawn("task", [&] {
      c.lock();
      sleep();
    });
    EXPECT_EQ(run.report(ReportKind::sleeping_in_atomic),
              std::string("task (which holds test_c) may sleep in ") + text +
                  " while it holds a spin lock");
  }
};

TEST_F(SleepingInAtomic, FreeMutex) {
  under_a_spin_lock("mutex_lock(test_a)", [&] {
    a.lock();
    a.unlock();
  });
}

TEST_F(SleepingInAtomic, FreeSemaphore) {
  RwSemaphore semaphore(scheduler, LockClass::inode_rwsem);
  under_a_spin_lock("down_read(inode->i_rwsem)", [&] {
    semaphore.down_read();
    semaphore.up_read();
  });
}

TEST_F(SleepingInAtomic, FreeSemaphoreForWriting) {
  RwSemaphore semaphore(scheduler, LockClass::inode_rwsem);
  under_a_spin_lock("down_write(inode->i_rwsem)", [&] {
    semaphore.down_write();
    semaphore.up_write();
  });
}

TEST_F(SleepingInAtomic, CompletedCompletion) {
  Completion completion(scheduler, "req->done");
  completion.complete_all();
  under_a_spin_lock("wait_event(req->done)", [&] { completion.wait(); });
}

TEST_F(SleepingInAtomic, WaitForWhatIsTrue) {
  WaitQueue queue(scheduler, "daemon_pollwq");
  under_a_spin_lock("wait_event(daemon_pollwq)", [&] { queue.wait_event([] { return true; }); });
}

TEST_F(SleepingInAtomic, WaitForAClearBit) {
  BitFlags flags(scheduler, "cookie->flags");
  under_a_spin_lock("wait_event(cookie->flags)", [&] { flags.wait_on_bit(3); });
}

TEST_F(SleepingInAtomic, FlushOfNothing) {
  WorkQueue queue(scheduler, "fscache");
  Work work([](void*) {}, nullptr);
  under_a_spin_lock("flush_work(fscache)", [&] { queue.flush(work); });
}

TEST_F(SleepingInAtomic, SpinCountSurvivesAContendedLock) {
  SpinLock inner(scheduler, LockClass::test_b);
  TestRun random(7);
  for (uint64_t seed = 1; seed < 30; seed++) {
    TestRun other(seed);
    SpinLock first(other.scheduler, LockClass::test_a);
    SpinLock second(other.scheduler, LockClass::test_b);
    other.spawn("holder", [&] {
      second.lock();
      other.pause();
      second.unlock();
    });
    other.spawn("sleeper", [&] {
      first.lock();
      second.lock();
      second.unlock();
      might_sleep(other.scheduler, "kmalloc");
    });
    other.report(ReportKind::sleeping_in_atomic);
  }
}

}  // namespace
}  // namespace coldread
