// Fibers on real time: jobs from other threads, timers, helpers, and an end that always comes.
#include "fuse/host/host.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <future>

#include "kernelmodel/kernel/completion.h"

namespace coldread::fuse {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(Host, JobsBeginInOrderOnOneThread) {
  Host host;
  host.start();
  std::string order;
  std::thread::id thread;
  for (char c = 'a'; c <= 'z'; c++) {
    ASSERT_TRUE(host.post([&order, c] { order += c; }));
  }
  ASSERT_TRUE(host.call([&] { thread = std::this_thread::get_id(); }));
  EXPECT_EQ(order, "abcdefghijklmnopqrstuvwxyz");
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(Host, AJobIsATaskOfItsOwnName) {
  Host host;
  host.start();
  std::string name;
  uint32_t pid = 0;
  host.post({[&] {
               name = host.scheduler().current()->name;
               pid = host.scheduler().current()->pid;
               host.scheduler().current()->fatal_signal = true;
             },
             "cat", 77});
  bool killed = true;
  ASSERT_TRUE(host.call([&] { killed = host.scheduler().current()->fatal_signal; }));
  EXPECT_EQ(name, "cat");
  EXPECT_EQ(pid, 77u);
  EXPECT_FALSE(killed) << "the next job on that fiber is another task";
}

TEST(Host, ManyJobsOneAfterTheOtherNeedOneTask) {
  Host host;
  host.start();
  uint32_t task = 0;
  ASSERT_TRUE(host.call([] {}));
  const Task* first = nullptr;
  ASSERT_TRUE(host.call([&] { first = host.scheduler().current(); }));
  for (int i = 0; i < 1000; i++) {
    ASSERT_TRUE(host.call([&] { task += host.scheduler().current() == first ? 1 : 0; }));
  }
  EXPECT_EQ(task, 1000u);
}

TEST(Host, TimersFireInRealTimeAndNotBefore) {
  Host host;
  host.start();
  const auto start = steady_clock::now();
  ASSERT_TRUE(host.call([&] { host.sleep(milliseconds(50)); }, milliseconds(10'000)));
  EXPECT_GE(steady_clock::now() - start, milliseconds(50));
}

TEST(Host, WhileOneFiberWaitsForAHelperOthersRun) {
  Host host;
  host.start();
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  std::atomic<int> result{0};
  host.post([&] {
    result = offload(host.disk(), [&] {
      gone.wait();
      return 7;
    });
  });
  ASSERT_TRUE(host.call([&] { EXPECT_EQ(result, 0); }));
  go.set_value();
  while (result == 0) ASSERT_TRUE(host.call([] {}));
  EXPECT_EQ(result, 7);
}

TEST(Host, ErrandsThatWaitForEachOtherAllRun) {
  Host host;
  host.start();
  constexpr int kMany = 64;
  std::atomic<int> begun{0};
  std::promise<void> all;
  std::shared_future<void> everybody = all.get_future().share();
  std::atomic<int> ended{0};
  for (int i = 0; i < kMany; i++) {
    host.post([&] {
      offload(host.errands(), [&] {
        if (++begun == kMany) all.set_value();
        everybody.wait();
      });
      ended++;
    });
  }
  ASSERT_EQ(everybody.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  while (ended < kMany) ASSERT_TRUE(host.call([] {}));
}

TEST(Host, AReadableFileIsSeen) {
  Host host;
  const int fd = eventfd(0, EFD_CLOEXEC);
  std::promise<uint64_t> seen;
  host.watch(fd, [&] {
    uint64_t count = 0;
    ASSERT_EQ(read(fd, &count, sizeof(count)), 8);
    seen.set_value(count);
  });
  host.start();
  const uint64_t three = 3;
  ASSERT_EQ(write(fd, &three, sizeof(three)), 8);
  std::future<uint64_t> future = seen.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(future.get(), 3u);
  host.stop();
  close(fd);
}

TEST(Host, StopsWithFibersThatWaitForEverAndTellsWhoCalled) {
  auto captured = std::make_shared<int>(1);
  Host host;
  host.start();
  Completion never(host.scheduler(), "never");
  std::thread caller([&] { EXPECT_FALSE(host.call([&never, captured] { never.wait(); })); });
  while (captured.use_count() < 2) std::this_thread::yield();
  ASSERT_TRUE(host.call([] {}));
  host.stop();
  caller.join();
  EXPECT_FALSE(host.post([] {}));
  EXPECT_EQ(captured.use_count(), 1) << "what a job captured outlived the host";
}

TEST(Host, StopUnblocksHelpersThatWaitForTheMount) {
  Host host;
  host.start();
  std::promise<void> mount_gone;
  std::shared_future<void> gone = mount_gone.get_future().share();
  std::promise<void> begun;
  host.post([&] {
    offload(host.errands(), [&] {
      begun.set_value();
      gone.wait();
    });
  });
  begun.get_future().wait();
  host.stop([&] { mount_gone.set_value(); });
}

TEST(Host, ABrokenInvariantIsReportedAndEndsService) {
  Host host;
  std::promise<std::string> report;
  host.on_broken([&](const sim::RunEnd& end) { report.set_value(end.text); });
  host.start();
  host.post([&] { host.scheduler().broken(ReportKind::warning, "something is wrong"); });
  EXPECT_EQ(report.get_future().get(), "something is wrong");
  EXPECT_FALSE(host.post([] {}));
}

}  // namespace
}  // namespace coldread::fuse
