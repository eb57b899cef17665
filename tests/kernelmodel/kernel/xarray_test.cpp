// The xarray's own layer: its lock, ids, reserved entries and the cursor.
#include "kernelmodel/kernel/xarray.h"

#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

struct Thing {
  uint64_t value = 0;
};

class XArrayTest : public OneSchedule {
 protected:
  // Runs `body` in a task.
  void in_task(std::function<void()> body) {
    run.spawn("task", std::move(body));
    run.finish();
  }

  XArray<Thing> array{scheduler, LockClass::cachefiles_reqs_lock};
  Thing things[200];
};

TEST_F(XArrayTest, StoresAndTellsWhatWasThere) {
  in_task([&] {
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(array.store(7, &things[0]), nullptr);
    EXPECT_EQ(array.store(7, &things[1]), &things[0]);
    EXPECT_EQ(array.load(7), &things[1]);
    EXPECT_EQ(array.insert(7, &things[2]), -EBUSY);
    EXPECT_EQ(array.insert(8, &things[2]), 0);
    EXPECT_EQ(array.cmpxchg(7, &things[0], nullptr), &things[1]);
    EXPECT_EQ(array.load(7), &things[1]);
    EXPECT_EQ(array.cmpxchg(7, &things[1], nullptr), &things[1]);
    EXPECT_EQ(array.erase(7), nullptr);
    EXPECT_EQ(array.erase(8), &things[2]);
    EXPECT_TRUE(array.empty());
    EXPECT_FALSE(array.xa_lock().is_locked());
  });
}

TEST_F(XArrayTest, FindsByMark) {
  in_task([&] {
    for (uint64_t i = 0; i < 10; i++) array.store(i * 100, &things[i]);
    array.set_mark(300, XA_MARK_1);
    array.set_mark(700, XA_MARK_1);
    array.set_mark(701, XA_MARK_1);  // nothing there
    uint64_t index = 0;
    EXPECT_EQ(array.find(&index, 900, XA_MARK_1), &things[3]);
    EXPECT_EQ(index, 300U);
    EXPECT_EQ(array.find(&index, 900, XA_MARK_1), &things[3]);
    EXPECT_EQ(array.find_after(&index, 900, XA_MARK_1), &things[7]);
    EXPECT_EQ(array.find_after(&index, UINT64_MAX, XA_MARK_1), nullptr);
    EXPECT_EQ(index, 700U);
    EXPECT_FALSE(array.marked(XA_MARK_0));
    array.clear_mark(300, XA_MARK_1);
    array.erase(700);
    EXPECT_FALSE(array.marked(XA_MARK_1));
  });
}

TEST_F(XArrayTest, IdsAgainstASet) {
  in_task([&] {
    std::mt19937 random(1);
    std::set<uint32_t> taken;
    uint32_t next = 5;
    uint32_t expected_next = 5;
    for (int i = 0; i < 5000; i++) {
      if (random() % 3 == 0 && !taken.empty()) {
        const uint32_t victim =
            *std::next(taken.begin(), static_cast<long>(random() % taken.size()));
        ASSERT_EQ(array.erase(victim), &things[victim]);
        taken.erase(victim);
        continue;
      }
      uint32_t id = 1000;
      const bool cyclic = random() % 2 == 0;
      const uint32_t min = 3;
      const uint32_t max = 50;
      const int result = cyclic ? array.alloc_cyclic(&id, &things[0], min, max, &next)
                                : array.alloc(&id, &things[0], min, max);
      uint32_t expected = cyclic ? std::max(expected_next, min) : min;
      int expected_result = 0;
      while (expected <= max && taken.count(expected) > 0) expected++;
      if (expected > max && cyclic) {
        expected = min;
        expected_result = 1;
        while (expected <= max && taken.count(expected) > 0) expected++;
      }
      if (expected > max) {
        ASSERT_EQ(result, -EBUSY);
        ASSERT_EQ(id, 1000U);
      } else {
        ASSERT_EQ(result, expected_result);
        ASSERT_EQ(id, expected);
        if (cyclic) expected_next = id + 1;
        taken.insert(id);
        array.store(id, &things[id]);
      }
      ASSERT_EQ(next, expected_next);
    }
  });
}

TEST_F(XArrayTest, CyclicIdsWrapAtTheEndOfTheNumbers) {
  in_task([&] {
    uint32_t id = 0;
    uint32_t next = UINT32_MAX;
    EXPECT_EQ(array.alloc_cyclic(&id, &things[0], 1, UINT32_MAX, &next), 0);
    EXPECT_EQ(id, UINT32_MAX);
    EXPECT_EQ(next, 0U);
    EXPECT_EQ(array.alloc_cyclic(&id, &things[0], 1, UINT32_MAX, &next), 1);
    EXPECT_EQ(id, 1U);
    EXPECT_EQ(array.alloc_cyclic(&id, &things[0], 1, UINT32_MAX, &next), 0);
    EXPECT_EQ(id, 2U);
  });
}

TEST_F(XArrayTest, AReservedIdIsTakenButNotThere) {
  in_task([&] {
    uint32_t id = 0;
    EXPECT_EQ(array.alloc(&id, nullptr, 1, 2), 0);
    EXPECT_EQ(id, 1U);
    EXPECT_EQ(array.load(1), nullptr);
    EXPECT_FALSE(array.empty());
    EXPECT_EQ(array.count(), 1U);
    EXPECT_EQ(array.alloc(&id, &things[2], 1, 2), 0);
    EXPECT_EQ(id, 2U);
    EXPECT_EQ(array.alloc(&id, nullptr, 1, 2), -EBUSY);
    uint64_t index = 0;
    EXPECT_EQ(array.find(&index, 10, XA_PRESENT), &things[2]);
    EXPECT_EQ(index, 2U);
    index = 0;
    EXPECT_EQ(array.find(&index, 1, XA_PRESENT), nullptr);
    EXPECT_EQ(array.erase(1), nullptr);
    EXPECT_EQ(array.alloc(&id, nullptr, 1, 2), 0);
    EXPECT_EQ(id, 1U);
  });
}

TEST_F(XArrayTest, IterationWhileErasing) {
  in_task([&] {
    for (uint64_t i = 0; i < 200; i++) array.store(i * i, &things[i]);
    uint64_t visited = 0;
    array.for_each([&](uint64_t index, Thing* thing) {
      EXPECT_EQ(thing, &things[visited]);
      EXPECT_EQ(index, visited * visited);
      visited += 2;
      array.erase(index);
      array.erase((visited - 1) * (visited - 1));  // the next one
    });
    EXPECT_EQ(visited, 200U);
    EXPECT_TRUE(array.empty());
  });
}

TEST_F(XArrayTest, CursorAsTheRequestQueueUsesIt) {
  in_task([&] {
    std::lock_guard guard(array.xa_lock());
    XArray<Thing>::Cursor cursor(array, 4);
    ASSERT_TRUE(cursor.find_free(UINT32_MAX));
    EXPECT_EQ(cursor.index(), 4U);
    EXPECT_EQ(cursor.store(&things[4]), nullptr);
    cursor.set_mark(XA_MARK_1);
    cursor.set(4);
    ASSERT_TRUE(cursor.find_free(UINT32_MAX));
    EXPECT_EQ(cursor.index(), 5U);
    EXPECT_FALSE(XArray<Thing>::Cursor(array, 4).find_free(4));
    cursor.store(&things[5]);
    cursor.set(0);
    EXPECT_EQ(cursor.find(UINT64_MAX, XA_MARK_1), &things[4]);
    EXPECT_TRUE(cursor.get_mark(XA_MARK_1));
    EXPECT_EQ(cursor.next(UINT64_MAX, XA_MARK_1), nullptr);
    EXPECT_EQ(cursor.index(), 4U);
    cursor.clear_mark(XA_MARK_1);
    EXPECT_EQ(cursor.next(UINT64_MAX), &things[5]);
    EXPECT_EQ(cursor.load(), &things[5]);
    EXPECT_EQ(cursor.store(nullptr), &things[5]);
    EXPECT_EQ(cursor.load(), nullptr);
  });
}

TEST_F(XArrayTest, ChangesNeedTheLock) {
  run.spawn("task", [&] {
    array.load(1);
    array.store_locked(1, &things[0]);
  });
  EXPECT_EQ(run.report(ReportKind::warning), "an xarray was changed without holding its xa_lock");
}

TEST_F(XArrayTest, MarksNeedTheLock) {
  run.spawn("task", [&] { XArray<Thing>::Cursor(array, 1).set_mark(XA_MARK_0); });
  run.report(ReportKind::warning);
}

TEST_F(XArrayTest, TakingTheLockTwiceIsReported) {
  run.spawn("task", [&] {
    array.xa_lock().lock();
    array.store(1, &things[0]);
  });
  run.report(ReportKind::lock_order);
}

class XArrayConcurrently : public EverySchedule {};

TEST_P(XArrayConcurrently, IdsAreHandedOutOnce) {
  XArray<Thing> array(scheduler, LockClass::cachefiles_ondemand_ids_lock);
  Thing thing;
  std::multiset<uint32_t> ids;
  uint32_t next = 0;
  for (int i = 0; i < 4; i++)
    run.spawn("task", [&] {
      for (int round = 0; round < 5; round++) {
        uint32_t id = 0;
        EXPECT_EQ(array.alloc_cyclic(&id, &thing, 1, 100, &next), 0);
        ids.insert(id);
        if (round == 2) {
          EXPECT_EQ(array.erase(id), &thing);
        }
      }
    });
  run.finish();
  EXPECT_EQ(array.count(), 16U);
  for (uint32_t id = 1; id <= 20; id++) EXPECT_EQ(ids.count(id), 1U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, XArrayConcurrently, schedules());

}  // namespace
}  // namespace coldread
