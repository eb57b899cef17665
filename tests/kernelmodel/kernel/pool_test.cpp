// Handles notice every use of an object that is gone, and say who did what.
#include "kernelmodel/kernel/pool.h"

#include <map>
#include <random>
#include <vector>

#include "tests/kernelmodel/kernel/schedules.h"

namespace coldread {
namespace {

struct Object {
  explicit Object(int its_value = 0, int* count = nullptr) : value(its_value), destroyed(count) {}
  ~Object() {
    if (destroyed != nullptr) ++*destroyed;
  }

  int value;
  int* destroyed;
  Handle<struct Later> incomplete;
};

class PoolTest : public OneSchedule {
 protected:
  Pool<Object> pool{scheduler, "cachefiles_object"};
};

TEST_F(PoolTest, ObjectsAreReachedThroughHandles) {
  int destroyed = 0;
  const Handle<Object> a = pool.create(1, &destroyed);
  const Handle<Object> b = pool.create(2);
  const Handle<Object> copy = a;
  EXPECT_EQ(a->value, 1);
  EXPECT_EQ((*b).value, 2);
  EXPECT_TRUE(copy == a);
  EXPECT_TRUE(a != b);
  EXPECT_TRUE(Handle<Object>::of(*a.get()) == a);
  EXPECT_TRUE(static_cast<bool>(a));
  EXPECT_FALSE(static_cast<bool>(Handle<Object>()));
  EXPECT_TRUE(Handle<Object>() == nullptr);
  EXPECT_FALSE(static_cast<bool>(a->incomplete));
  EXPECT_EQ(sizeof(Handle<Object>), 16U);
  EXPECT_EQ(pool.live(), 2U);
  pool.destroy(a);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(pool.live(), 1U);
}

TEST_F(PoolTest, MemoryIsReusedLastInFirstOut) {
  Handle<Object> objects[3] = {pool.create(), pool.create(), pool.create()};
  void* second = objects[1].get();
  void* first = objects[0].get();
  pool.destroy(objects[0]);
  pool.destroy(objects[1]);
  const Handle<Object> reused = pool.create();
  EXPECT_EQ(reused.get(), second);
  EXPECT_EQ(pool.create().get(), first);
  EXPECT_TRUE(reused != objects[1]);
}

TEST_F(PoolTest, UseAfterFreeTellsTheStory) {
  Handle<Object> object;
  run.spawn("creator", [&] {
    object = pool.create();
    pool.note(object, "bound");
  });
  run.spawn("destroyer", [&] { pool.destroy(object); });
  run.spawn("user", [&] { object->value = 3; });
  EXPECT_EQ(run.report(ReportKind::use_after_free),
            "cachefiles_object #0 was used by user after destroyer destroyed it; its slot was: "
            "created (by creator), bound (by creator), destroyed (by destroyer)");
}

TEST_F(PoolTest, AHandleToReusedMemoryIsStale) {
  run.spawn("task", [&] {
    const Handle<Object> old = pool.create(1);
    pool.destroy(old);
    const Handle<Object> current = pool.create(2);
    EXPECT_EQ(current->value, 2);
    EXPECT_EQ(old->value, 1);
  });
  EXPECT_EQ(run.report(ReportKind::use_after_free),
            "cachefiles_object #0 was used by task after task destroyed it; its slot was: "
            "created (by task), destroyed (by task), created (by task)");
}

TEST_F(PoolTest, TheLastFourNotesAreKept) {
  run.spawn("task", [&] {
    const Handle<Object> object = pool.create();
    for (const char* what : {"one", "two", "three", "four"}) pool.note(object, what);
    pool.destroy(object);
    pool.destroy(object);
  });
  EXPECT_EQ(run.report(ReportKind::use_after_free),
            "cachefiles_object #0 was used by task after task destroyed it; its slot was: "
            "two (by task), three (by task), four (by task), destroyed (by task)");
}

TEST_F(PoolTest, TheDestructorCannotUseItsHandle) {
  struct Selfish {
    Handle<Selfish> self;
    int value = 0;
    ~Selfish() { self->value = 1; }
  };
  Pool<Selfish> selfish(scheduler, "selfish");
  run.spawn("task", [&] {
    const Handle<Selfish> object = selfish.create();
    object->self = object;
    selfish.destroy(object);
  });
  run.report(ReportKind::use_after_free);
}

TEST_F(PoolTest, NullIsReported) {
  run.spawn("task", [&] { Handle<Object>()->value = 1; });
  EXPECT_EQ(run.report(ReportKind::null_dereference), "a null handle was used by task");
}

TEST_F(PoolTest, NullIsReportedToTheRunThatIsOn) {
  TestRun other;
  scheduler.spawn(
      "task", false, [](void*) { (void)Handle<Object>().get(); }, nullptr);
  other.spawn("task", [] {});
  other.finish();
  run.report(ReportKind::null_dereference);
}

TEST_F(PoolTest, LiveOnesInOrderOfSlots) {
  std::mt19937 random(5);
  std::map<int, Handle<Object>> live;  // by value: slots are handed out in order first
  for (int i = 0; i < 1000; i++) live[i] = pool.create(i);
  for (int i = 0; i < 600; i++) {
    const auto victim = std::next(live.begin(), static_cast<long>(random() % live.size()));
    pool.destroy(victim->second);
    live.erase(victim);
  }
  auto expected = live.begin();
  pool.for_each_live([&](Handle<Object> object) {
    ASSERT_NE(expected, live.end());
    EXPECT_TRUE(object == expected->second);
    EXPECT_EQ(object->value, expected->first);
    ++expected;
    pool.destroy(object);
  });
  EXPECT_EQ(expected, live.end());
  EXPECT_EQ(pool.live(), 0U);
}

TEST_F(PoolTest, ObjectsAreAlignedAndDoNotMove) {
  struct alignas(16) Odd {
    char bytes[33];
  };
  Pool<Odd> odd(scheduler, "odd");
  std::vector<std::pair<Handle<Odd>, Odd*>> all;
  for (int i = 0; i < 500; i++) {
    const Handle<Odd> object = odd.create();
    std::fill(std::begin(object->bytes), std::end(object->bytes), static_cast<char>(i));
    all.emplace_back(object, object.get());
  }
  for (size_t i = 0; i < all.size(); i++) {
    EXPECT_EQ(all[i].first.get(), all[i].second);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(all[i].second) % 16, 0U);
    EXPECT_EQ(all[i].second->bytes[32], static_cast<char>(i));
  }
}

}  // namespace
}  // namespace coldread
