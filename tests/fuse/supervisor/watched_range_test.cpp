// Where the watched numbers are, for every limit that a program may have.
#include "fuse/supervisor/watched_range.h"

#include <gtest/gtest.h>

namespace coldread::fuse {
namespace {

TEST(WatchedRange, EndsBelowTheLimitAndBelowWhatSelectCanTell) {
  EXPECT_EQ(watched_range(1024).first, 992);
  EXPECT_EQ(watched_range(1'048'576).first, 992);
  EXPECT_EQ(watched_range(RLIM_INFINITY).first, 992);
  EXPECT_EQ(watched_range(1023).first, 960);
  EXPECT_EQ(watched_range(200).first, 160);
  EXPECT_EQ(watched_range(64).first, 32);
}

TEST(WatchedRange, LeavesTheLowNumbersAlone) {
  EXPECT_EQ(watched_range(63).first, 32);
  EXPECT_EQ(watched_range(3).first, 32);
  EXPECT_EQ(watched_range(0).first, 32);
}

TEST(WatchedRange, CanBeComparedUnderAMask) {
  for (rlim_t limit = 0; limit < 1100; ++limit) {
    const WatchedRange range = watched_range(limit);
    EXPECT_EQ(range.first % WatchedRange::kCount, 0);
    EXPECT_TRUE(range.contains(range.first + WatchedRange::kCount - 1));
    EXPECT_FALSE(range.contains(range.first + WatchedRange::kCount));
    EXPECT_FALSE(range.contains(range.first - 1));
  }
}

}  // namespace
}  // namespace coldread::fuse
