// Ids in a real kernel's trace count as if its boot were the run's beginning.
#include "sim/live/kernel_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace coldread::live {
namespace {

using testing::ElementsAre;

TEST(KernelTrace, TheLowestIdOfEachKindIsAFirstOne) {
  EXPECT_THAT(renumbered({"fscache_cache: C=00000007 NEW acq   r=1",
                          "fscache_acquire: c=0000002b V=00000011 vr=2 vc=1",
                          "cachefiles_ref: c=0000002c o=0000000f u=1 NEW obj",
                          "cachefiles_ref: c=0000002b o=0000001f u=1 NEW obj"}),
              ElementsAre("fscache_cache: C=00000001 NEW acq   r=1",
                          "fscache_acquire: c=00000002 V=00000001 vr=2 vc=1",
                          "cachefiles_ref: c=00000003 o=00000001 u=1 NEW obj",
                          "cachefiles_ref: c=00000002 o=00000011 u=1 NEW obj"));
}

TEST(KernelTrace, WhatIsNoIdStays) {
  const std::vector<std::string> lines = {
      "cachefiles_unlink: o=ffffffff B=e w=stale",      // no object
      "cachefiles_mark_active: o=00000000 B=12345678",  // no object; an inode
      "fscache_access_volume: V=00000001 c=00000000 PIN r=2 a=1",
      "fscache_resize: c=00000002 os=00010000 sz=00001388",  // sizes
      "cachefiles_coherency: o=00000001 OK       B=10 c=1",  // a content
      "console: cookie c=00000077",
  };
  EXPECT_EQ(renumbered(lines), lines);
}

}  // namespace
}  // namespace coldread::live
