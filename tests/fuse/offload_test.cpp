// Callables as functions that another thread runs.
#include "fuse/offload.h"

#include <gtest/gtest.h>

#include <thread>

namespace coldread::fuse {
namespace {

class AnotherThread final : public Offload {
 public:
  void run(void (*function)(void*), void* argument) override {
    std::thread(function, argument).join();
  }
};

TEST(Offload, ReturnsWhatTheFunctionReturnedElsewhere) {
  AnotherThread another;
  const std::thread::id here = std::this_thread::get_id();
  EXPECT_EQ(offload(another, [here] { return std::this_thread::get_id() == here ? 1 : 2; }), 2);
}

TEST(Offload, WhatItChangedIsSeen) {
  AnotherThread another;
  int changed = 0;
  offload(another, [&changed] { changed = 7; });
  EXPECT_EQ(changed, 7);
  const auto constant = [&changed] { ++changed; };
  offload(another, constant);
  EXPECT_EQ(changed, 8);
}

}  // namespace
}  // namespace coldread::fuse
