// The memory of a run: whole blocks, reused when freed, all of it gone with the run.
#include "sim/scheduler/run_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace coldread::sim {
namespace {

struct Block {
  std::byte* memory;
  size_t bytes;
  size_t alignment;
  int fill;
};

void expect_filled(const Block& block) {
  for (size_t i = 0; i < block.bytes; ++i)
    ASSERT_EQ(block.memory[i], static_cast<std::byte>(block.fill)) << "size " << block.bytes;
}

// Under LeakSanitizer it also shows that what is never freed goes with the memory.
TEST(RunMemoryTest, BlocksKeepWhatIsWrittenToThem) {
  std::mt19937 random(1);
  RunMemory memory;
  std::vector<Block> blocks;
  for (int i = 0; i < 20'000; ++i) {
    if (random() % 5 < 3 || blocks.empty()) {
      const size_t bytes = random() % 50 == 0 ? random() % 100'000 : random() % 1100;
      const size_t alignment = size_t{1} << random() % 9;
      auto* block = static_cast<std::byte*>(memory.allocate(bytes, alignment));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
      std::memset(block, i & 255, bytes);
      blocks.push_back({block, bytes, alignment, i & 255});
    } else {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block& block = blocks.back();
      expect_filled(block);
      memory.deallocate(block.memory, block.bytes, block.alignment);
      blocks.pop_back();
    }
  }
  for (const Block& block : blocks) expect_filled(block);
}

TEST(RunMemoryTest, ReusesTheLastBlockOfItsSizeFirst) {
  if (kAddressSanitizer) GTEST_SKIP() << "freed memory is kept aside by the sanitizer";
  RunMemory memory;
  void* first = memory.allocate(100, 8);
  void* second = memory.allocate(112, 16);
  memory.deallocate(first, 100, 8);
  memory.deallocate(second, 112, 16);
  EXPECT_EQ(memory.allocate(104, 8), second);
  EXPECT_EQ(memory.allocate(104, 8), first);
}

TEST(RunMemoryTest, AbsurdSizesThrow) {
  RunMemory memory;
  const volatile size_t absurd = SIZE_MAX - 16;  // not for the compiler to see
  EXPECT_THROW(static_cast<void>(memory.allocate(absurd, 16)), std::bad_alloc);
}

}  // namespace
}  // namespace coldread::sim
