// Every operation lets others run first, names what it is about to touch, and only then takes
// effect.
#include <string>
#include <vector>

#include "kernelmodel/kernel/bit_flags.h"
#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/mutex.h"
#include "kernelmodel/kernel/ref_count.h"
#include "kernelmodel/kernel/rw_semaphore.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/work_queue.h"
#include "kernelmodel/kernel/xarray.h"
#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

// Never switches, but notes which objects are about to be touched, and how things are then.
class Observer final : public sim::SchedulingStrategy {
 public:
  bool preemptive() const override { return true; }
  size_t next(const sim::RunQueue&) override { return 0; }
  size_t preempt(const Task&, const void* object, const sim::RunQueue&) override {
    if (look) seen.push_back({object, look()});
    return kStay;
  }

  struct Point {
    const void* object;
    int state;
  };
  std::function<int()> look;
  std::vector<Point> seen;
};

class Preemption : public testing::Test {
 protected:
  // Expects that the first point of `operation` is at `object` while look() is still `before`, and
  // that look() is `after` in the end.
  template <typename Object, typename Operation, typename Look>
  void expect_point(const char* what, Object& object, int before, int after, Look look,
                    Operation operation) {
    run.spawn("task", [&] {
      observer->seen.clear();
      observer->look = look;
      operation();
      observer->look = nullptr;
    });
    run.spawn("another task", [] {});
    run.finish();
    ASSERT_FALSE(observer->seen.empty()) << what;
    EXPECT_EQ(observer->seen[0].object, &object) << what;
    EXPECT_EQ(observer->seen[0].state, before) << what;
    observer->look = nullptr;
    EXPECT_EQ(look(), after) << what;
  }

  Observer* observer = new Observer;
  TestRun run{std::unique_ptr<sim::SchedulingStrategy>(observer)};
  sim::FiberScheduler& scheduler = run.scheduler;
};

TEST_F(Preemption, Locks) {
  SpinLock spin(scheduler, LockClass::test_a);
  Mutex mutex(scheduler, LockClass::test_b);
  RwSemaphore semaphore(scheduler, LockClass::test_c);
  // A look at both ends: locked within, free outside.
  const auto both = [&](const char* what, auto& lock, auto take, auto give) {
    const auto locked = [&] { return lock.is_locked() ? 1 : 0; };
    expect_point(what, lock, 0, 0, locked, [&] {
      take();
      observer->seen.clear();
      give();
      EXPECT_EQ(observer->seen.at(0).state, 1) << what;
      EXPECT_EQ(observer->seen.at(0).object, &lock) << what;
      observer->seen.clear();
      take();
      give();
    });
  };
  both(
      "spin lock", spin, [&] { spin.lock(); }, [&] { spin.unlock(); });
  both(
      "spin trylock", spin, [&] { spin.try_lock(); }, [&] { spin.unlock(); });
  both(
      "mutex", mutex, [&] { mutex.lock(); }, [&] { mutex.unlock(); });
  both(
      "mutex trylock", mutex, [&] { mutex.try_lock(); }, [&] { mutex.unlock(); });
  both(
      "down_read", semaphore, [&] { semaphore.down_read(); }, [&] { semaphore.up_read(); });
  both(
      "down_write", semaphore, [&] { semaphore.down_write(); }, [&] { semaphore.up_write(); });
  both(
      "read trylock", semaphore, [&] { semaphore.down_read_trylock(); },
      [&] { semaphore.up_read(); });
  both(
      "write trylock", semaphore, [&] { semaphore.down_write_trylock(); },
      [&] { semaphore.up_write(); });
}

TEST_F(Preemption, Counts) {
  RefCount references(scheduler, "ref", 1);
  AtomicCount count(scheduler, 1);
  const auto refs = [&] { return references.peek(); };
  const auto value = [&] { return count.peek(); };
  expect_point("get", references, 1, 2, refs, [&] { references.get(); });
  expect_point("inc_not_zero", references, 2, 3, refs, [&] { references.inc_not_zero(); });
  expect_point("put", references, 3, 2, refs, [&] { references.put(); });
  expect_point("read", references, 2, 2, refs, [&] { references.read(); });
  expect_point("inc", count, 1, 2, value, [&] { count.inc(); });
  expect_point("inc_return", count, 2, 3, value, [&] { count.inc_return(); });
  expect_point("dec_and_test", count, 3, 2, value, [&] { count.dec_and_test(); });
  expect_point("cmpxchg", count, 2, 5, value, [&] { count.cmpxchg(2, 5); });
  expect_point("xchg", count, 5, 1, value, [&] { count.xchg(1); });
  expect_point("set", count, 1, 7, value, [&] { count.set(7); });
  expect_point("inc_not_zero", count, 7, 8, value, [&] { count.inc_not_zero(); });
  expect_point("read", count, 8, 8, value, [&] { count.read(); });
}

TEST_F(Preemption, FlagsAndCompletions) {
  BitFlags flags(scheduler, "flags");
  Completion completion(scheduler, "done");
  const auto value = [&] { return static_cast<int>(flags.peek()); };
  expect_point("set", flags, 0, 4, value, [&] { flags.set(2); });
  expect_point("test", flags, 4, 4, value, [&] { flags.test(2); });
  expect_point("clear", flags, 4, 0, value, [&] { flags.clear(2); });
  expect_point("test_and_set", flags, 0, 1, value, [&] { flags.test_and_set(0); });
  expect_point("test_and_clear", flags, 1, 0, value, [&] { flags.test_and_clear(0); });
  const auto nothing = [] { return 0; };
  expect_point("complete", completion, 0, 0, nothing, [&] { completion.complete(); });
  expect_point("complete_all", completion, 0, 0, nothing, [&] { completion.complete_all(); });
  expect_point("done", completion, 0, 0, nothing, [&] { completion.done(); });
  expect_point("reinit", completion, 0, 0, nothing, [&] { completion.reinit(); });
}

TEST_F(Preemption, WaitQueues) {
  WaitQueue queue(scheduler, "queue");
  WaitQueue::Entry entry([](void*) {}, nullptr);
  const auto active = [&] { return queue.active() ? 1 : 0; };
  expect_point("add", queue, 0, 1, active, [&] { queue.add(entry); });
  expect_point("wake_up_one", queue, 1, 0, active, [&] { queue.wake_up_one(); });
  queue.add(entry);
  expect_point("wake_up_all", queue, 1, 0, active, [&] { queue.wake_up_all(); });
  expect_point("wait_event", queue, 0, 0, active, [&] { queue.wait_event([] { return true; }); });
}

TEST_F(Preemption, XArrays) {
  struct Thing {
  } thing;
  XArray<Thing> array(scheduler, LockClass::test_a);
  const auto count = [&] { return static_cast<int>(array.count()); };
  expect_point("load", array, 0, 0, count, [&] { array.load(1); });
  expect_point("marked", array, 0, 0, count, [&] { array.marked(XA_MARK_0); });
  expect_point("find", array, 0, 0, count, [&] {
    uint64_t index = 0;
    array.find(&index, 10, XA_PRESENT);
  });
  expect_point("store", array.xa_lock(), 0, 1, count, [&] { array.store(1, &thing); });
  expect_point("erase", array, 1, 0, count, [&] {
    array.xa_lock().lock();
    observer->seen.clear();
    array.erase_locked(1);
    array.xa_lock().unlock();
  });
}

TEST_F(Preemption, WorkQueues) {
  WorkQueue queue(scheduler, "fscache");
  Work work([](void*) {}, nullptr);
  DelayedWork delayed([](void*) {}, nullptr);
  const auto pending = [&] { return work.pending() || delayed.pending() ? 1 : 0; };
  expect_point("queue", queue, 0, 0, pending, [&] { queue.queue(work); });
  expect_point("flush", queue, 0, 0, pending, [&] { queue.flush(work); });
  expect_point("cancel_sync", queue, 1, 0, pending, [&] {
    queue.queue(work);
    observer->seen.clear();
    queue.cancel_sync(work);
  });
  expect_point("queue_delayed", queue, 0, 0, pending, [&] { queue.queue_delayed(delayed, 0); });
  expect_point("mod_delayed", queue, 0, 0, pending, [&] { queue.mod_delayed(delayed, 0); });
}

}  // namespace
}  // namespace coldread
