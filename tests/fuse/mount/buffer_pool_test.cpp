// Memory of requests that is used again.
#include "fuse/mount/buffer_pool.h"

#include <gtest/gtest.h>

#include <optional>

namespace coldread::fuse {
namespace {

TEST(BufferPool, TheNextOneGetsTheMemory) {
  BufferPool pool;
  std::optional<PooledBuffer> first(pool), second(pool);
  const std::byte* const memory = first->get(100'000).data();
  EXPECT_NE(second->get(100'000).data(), memory) << "it is in use";
  first.reset();
  PooledBuffer third(pool);
  EXPECT_EQ(third.current().size(), 0U) << "nothing of its predecessor's";
  EXPECT_EQ(third.get(50'000).data(), memory);
  EXPECT_EQ(third.current().size(), 50'000U);
  EXPECT_EQ(third.get(100'000).data(), memory);
}

TEST(BufferPool, WhoAsksForNothingTakesNothing) {
  BufferPool pool;
  const std::byte* memory = nullptr;
  {
    PooledBuffer first(pool);
    memory = first.get(4096).data();
  }
  const PooledBuffer idle(pool);
  PooledBuffer other(pool);
  EXPECT_EQ(other.get(4096).data(), memory);
}

}  // namespace
}  // namespace coldread::fuse
