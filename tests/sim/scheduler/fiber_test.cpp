// Stacks: their reuse, their canaries, how many there may be, and that they can be dropped.
#include "sim/scheduler/fiber.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/sim/scheduler/tasks.h"

namespace coldread::sim {
namespace {

size_t resident_bytes() {
  size_t all = 0;
  size_t resident = 0;
  FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%zu %zu", &all, &resident) != 2) ADD_FAILURE();
  if (file != nullptr) std::fclose(file);
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// A frame with room that the sanitizer fences off.
[[gnu::noinline]] int fill_frame(FiberScheduler& scheduler, int value, bool block) {
  volatile char frame[3000];
  for (volatile char& byte : frame) byte = static_cast<char>(value);
  if (block) scheduler.block(kWait);
  return frame[value % 3000];
}

struct SwitchTest : testing::Test {
  Fiber outside, inside;
  StackPool pool;
  int counter = 0;
};

TEST_F(SwitchTest, ToAndFro) {
  EXPECT_FALSE(inside.started());
  inside.start(
      pool.acquire(),
      [](void* arg) {
        auto& test = *static_cast<SwitchTest*>(arg);
        for (;;) {
          ++test.counter;
          test.inside.switch_to(test.outside);
        }
      },
      this);
  EXPECT_TRUE(inside.started());
  for (int i = 0; i < 10; ++i) outside.switch_to(inside);
  EXPECT_EQ(counter, 10);
  EXPECT_TRUE(inside.stack().intact());
  inside.drop(pool, outside);
  EXPECT_FALSE(inside.started());
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(StackPoolTest, ReusesLastInFirstOut) {
  StackPool pool;
  const Stack first = pool.acquire();
  const Stack second = pool.acquire();
  EXPECT_NE(first.bottom, second.bottom);
  pool.release(first);
  pool.release(second);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.acquire().bottom, second.bottom);
  EXPECT_EQ(pool.acquire().bottom, first.bottom);
  EXPECT_EQ(pool.created(), 2u);
}

TEST(StackPoolTest, StacksAreWholeAndDoNotOverlap) {
  StackPool pool;
  std::vector<Stack> stacks;
  for (int i = 0; i < 300; ++i) {
    stacks.push_back(pool.acquire());
    std::memset(stacks.back().bottom + sizeof Stack::kCanary, i,
                kStackSize - sizeof Stack::kCanary);
  }
  for (const Stack& stack : stacks) EXPECT_TRUE(stack.intact());
}

TEST(StackPoolTest, AReusedStackHasItsCanaryAgain) {
  StackPool pool;
  const Stack stack = pool.acquire();
  std::memset(stack.bottom, 0, 8);
  EXPECT_FALSE(stack.intact());
  pool.release(stack);
  EXPECT_TRUE(pool.acquire().intact());
}

TEST(SchedulerStacks, TasksOneAfterTheOtherShareOne) {
  StackPool pool;
  FifoStrategy fifo;
  Tasks tasks(fifo, {&pool, UINT64_MAX});
  int left = 1000;
  const std::function<void()> next = [&] {
    if (--left > 0) tasks.spawn("next", next);
  };
  tasks.spawn("first", next);
  EXPECT_EQ(tasks.scheduler.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(left, 0);
  EXPECT_EQ(pool.created(), 2u);  // and one for timers
}

TEST(SchedulerStacks, FinishedAndDroppedTasksGiveTheirsBack) {
  StackPool pool;
  FifoStrategy fifo;
  for (int run = 0; run < 20; ++run) {
    Tasks tasks(fifo, {&pool, UINT64_MAX});
    for (int i = 0; i < 10; ++i) {
      tasks.spawn("blocked", [&, i] { fill_frame(tasks.scheduler, i, true); });
      tasks.spawn("yields", [&] { tasks.scheduler.yield(); });
    }
    tasks.spawn("breaks", [&] {
      tasks.scheduler.yield();
      tasks.scheduler.broken(ReportKind::warning, "enough");
    });
    EXPECT_EQ(tasks.scheduler.run().kind, RunEnd::Kind::broken);
    EXPECT_GE(pool.in_use(), 11u);
    tasks.scheduler.drop();
    EXPECT_EQ(pool.in_use(), 0u);
  }
  EXPECT_LE(pool.created(), 22u);
}

// The sanitizer's fences around frames that never returned must not trip the next owner.
TEST(SchedulerStacks, ADroppedStackIsCleanForItsNextOwner) {
  StackPool pool;
  FifoStrategy fifo;
  for (int depth = 0; depth < 5; ++depth) {
    Tasks tasks(fifo, {&pool, UINT64_MAX});
    for (int i = 0; i < 50; ++i) {
      tasks.spawn("a", [&, i] {
        volatile char shift[512];
        shift[100 * depth] = 1;
        fill_frame(tasks.scheduler, i + shift[100 * depth], false);
        fill_frame(tasks.scheduler, i, true);
      });
    }
    EXPECT_EQ(tasks.scheduler.run().kind, RunEnd::Kind::hang);
  }
}

TEST(SchedulerStacks, AnOverrunIsReported) {
  StackPool pool;
  const Stack stacks[] = {pool.acquire(), pool.acquire()};  // the next two to be used
  for (const Stack& stack : stacks) pool.release(stack);
  FifoStrategy fifo;
  for (const bool finishes : {false, true}) {
    Tasks tasks(fifo, {&pool, UINT64_MAX});
    tasks.spawn("deep", [&] {
      for (const Stack& stack : stacks) std::memset(stack.bottom, 0, 8);
      if (!finishes) tasks.scheduler.block(kWait);
    });
    const RunEnd end = tasks.scheduler.run();
    EXPECT_EQ(end.report, ReportKind::stack_overflow);
    EXPECT_EQ(end.task, "deep");
  }
}

TEST(SchedulerStacks, AHundredThousandBlockedTasks) {
  constexpr size_t kTasks = 100'000;
  FifoStrategy fifo;
  Tasks tasks(fifo);
  struct Reader {
    FiberScheduler* scheduler;
    size_t* done;
    Task* task;
  };
  size_t done = 0;
  std::vector<Reader> readers(kTasks, {&tasks.scheduler, &done, nullptr});
  const size_t before = resident_bytes();
  for (Reader& reader : readers) {
    reader.task = &tasks.scheduler.spawn(
        "reader", false,
        [](void* arg) {
          const Reader& self = *static_cast<Reader*>(arg);
          self.scheduler->block(kWait);
          ++*self.done;
        },
        &reader);
  }
  EXPECT_EQ(tasks.scheduler.run().waiting.size(), kTasks);
  if constexpr (!kAddressSanitizer) {
    // Two pages of stack, the task's record, its place in the run queue and in the report.
    EXPECT_LT((resident_bytes() - before) / kTasks, 8192u + 700u);
  }
  for (const Reader& reader : readers) tasks.scheduler.wake(*reader.task);
  EXPECT_EQ(tasks.scheduler.run().kind, RunEnd::Kind::finished);
  EXPECT_EQ(done, kTasks);
}

}  // namespace
}  // namespace coldread::sim
