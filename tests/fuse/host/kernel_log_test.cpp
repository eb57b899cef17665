// Trace lines wait for whoever takes them.
#include "fuse/host/kernel_log.h"

#include <gtest/gtest.h>

#include "sim/scheduler/scheduler.h"

namespace coldread::fuse {
namespace {

class KernelLogTest : public testing::Test {
 protected:
  std::string take(size_t room) {
    std::string out(room, '?');
    out.resize(log_.take(out));
    return out;
  }

  sim::FifoStrategy fifo_;
  sim::FiberScheduler scheduler_{fifo_};
  std::string printed_;
  KernelLog log_{scheduler_, [this](std::string_view line) { printed_ = line; }};
};

TEST_F(KernelLogTest, NothingIsKeptWhileNobodyFollows) {
  EXPECT_FALSE(log_.enabled());
  log_.emit("event", "a=1");
  log_.printk("hello");
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(printed_, "hello");
}

TEST_F(KernelLogTest, LinesAreFtracesAndTakenWhole) {
  log_.follow();
  EXPECT_TRUE(log_.enabled());
  log_.emit("event", "a=1");
  log_.note(ReportKind::warning, "odd");
  const std::string first = "          <idle>-0       [000] .....     0.000000: event: a=1\n";
  const std::string second =
      "          <idle>-0       [000] .....     0.000000: console: warning: odd\n";
  EXPECT_EQ(take(first.size() + 5), first);
  EXPECT_EQ(take(4096), second);
  EXPECT_EQ(take(4096), "");
  EXPECT_EQ(printed_, "warning: odd");
}

TEST_F(KernelLogTest, TheLogHasNoticesToo) {
  log_.follow();
  EXPECT_TRUE(log_.takes(Log::Level::notice));
  log_.notice("loaded");
  EXPECT_TRUE(log_.empty());
  EXPECT_EQ(printed_, "");
  log_.printk("wrong");
  KernelRing& ring = log_.ring();
  EXPECT_EQ(ring.text(4096), "<5>[    0.000000] loaded\n<3>[    0.000000] wrong\n");
  EXPECT_EQ(ring.text(30), "<3>[    0.000000] wrong\n");
  uint64_t number = 0;
  EXPECT_EQ(ring.record(&number), "5,0,0,-;loaded\n");
  EXPECT_EQ(ring.record(&++number), "3,1,0,-;wrong\n");
  EXPECT_EQ(ring.record(&++number), std::nullopt);
  ring.clear();
  EXPECT_EQ(ring.cleared(), 2U);
  EXPECT_EQ(ring.text(4096), "");
  for (size_t i = 0; i < KernelRing::kRecords; i++) log_.notice("more");
  number = 0;
  EXPECT_EQ(ring.record(&number), "5,2,0,-;more\n");
  EXPECT_EQ(number, 2U);
}

TEST_F(KernelLogTest, ALineLongerThanTheBufferIsCut) {
  log_.follow();
  log_.emit("event", "a=1");
  EXPECT_EQ(take(20), "          <idle>-0 \n");
  EXPECT_TRUE(log_.empty());
}

TEST_F(KernelLogTest, TheOldestAreLostAndCounted) {
  log_.follow();
  for (size_t i = 0; i < KernelLog::kMaxLines + 5; i++) log_.emit("event", "x");
  EXPECT_EQ(take(4096).substr(0, 23), "CPU:0 [LOST 5 EVENTS]\n ");
}

TEST_F(KernelLogTest, TheLastFollowerTakesTheRestAlong) {
  log_.follow();
  log_.follow();
  log_.emit("event", "x");
  log_.unfollow();
  EXPECT_FALSE(log_.empty());
  log_.unfollow();
  EXPECT_TRUE(log_.empty());
  EXPECT_FALSE(log_.enabled());
}

}  // namespace
}  // namespace coldread::fuse
