// File contents: every expectation here that names no reason was first seen on ext4 (4096-byte
// blocks, 512-byte sectors) under Linux 6.1.192 and 6.12.117.
#include "tests/sim/store/store_fixture.h"

namespace coldread::sim {
namespace {

constexpr uint64_t kMax = 17592186040320;  // (2^32 - 1) * 4096

using StoreData = StoreTest;

TEST_F(StoreData, WritesMustBeAligned) {
  EXPECT_EQ(write(0, 4096), 4096);
  EXPECT_EQ(write(512, 512), 512);
  EXPECT_EQ(write(0, 512, 'x', 512), 512);
  EXPECT_EQ(write(100, 512), -EINVAL);
  EXPECT_EQ(write(512, 100), -EINVAL);
  EXPECT_EQ(write(0, 512, 'x', 4), -EINVAL);
  EXPECT_EQ(write(0, 512, 'x', 256), -EINVAL);
  EXPECT_EQ(write(0, 0, 'x', 3), 0);
  EXPECT_EQ(write(3, 0), 0);
  EXPECT_EQ(write(8192, 0), 0);
  EXPECT_EQ(map(), "[0,4096) of 4096");
}

TEST_F(StoreData, AMisalignedWriteIntoAHoleLeavesItAHole) {
  ASSERT_EQ(store.truncate(file, 65536), 0);
  EXPECT_EQ(write(100, 512), -EINVAL);
  EXPECT_EQ(write(8192, 700), -EINVAL);
  EXPECT_EQ(write(16384, 512, 'x', 3), -EINVAL);
  EXPECT_EQ(map(), "of 65536");
}

TEST_F(StoreData, ReadsOfDataMustBeAligned) {
  ASSERT_EQ(write(0, 4096), 4096);
  EXPECT_EQ(read(0, 512), 512);
  EXPECT_EQ(read(100, 512), -EINVAL);
  EXPECT_EQ(read(0, 100), -EINVAL);
  EXPECT_EQ(read(0, 512, 4), -EINVAL);
  EXPECT_EQ(read(0, 512, 511), -EINVAL);
  EXPECT_EQ(read(0, 0, 1), 0);
  EXPECT_EQ(read(5, 0), 0);
}

TEST_F(StoreData, ReadsOfHolesNeedNoAlignment) {
  ASSERT_EQ(store.truncate(file, 65536), 0);
  EXPECT_EQ(runs(100, 512), "512*0");
  EXPECT_EQ(runs(0, 100), "100*0");
  EXPECT_EQ(runs(0, 512, 3), "512*0");
}

TEST_F(StoreData, AMisalignedReadGoesWrongAtTheFirstAllocatedBlock) {
  ASSERT_EQ(store.truncate(file, 65536), 0);
  ASSERT_EQ(write(8192, 4096), 4096);
  EXPECT_EQ(runs(100, 8092), "8092*0");
  EXPECT_EQ(runs(100, 8093), "-22");        // memory, then length
  EXPECT_EQ(runs(100, 8092 + 512), "-22");  // memory at the block is not aligned
  EXPECT_EQ(runs(100, 8092 + 512, 100), "8092*0 512*x");
  EXPECT_EQ(runs(8192, 4097), "-22");
}

TEST_F(StoreData, ReadsAreShortAtTheEnd) {
  ASSERT_EQ(write(0, 4096), 4096);
  ASSERT_EQ(store.truncate(file, 1000), 0);
  EXPECT_EQ(runs(0, 4096), "1000*x");
  EXPECT_EQ(runs(512, 512), "488*x");
  EXPECT_EQ(runs(512, 4096), "488*x");
  EXPECT_EQ(read(0, 512, 3), -EINVAL);
  for (const uint64_t behind : {1024U, 1000U, 1536U, 4096U, 4000U, 5000U})
    EXPECT_EQ(read(behind, 512), 0);
  EXPECT_EQ(read(5001, 100), 0);
  EXPECT_EQ(read(4096, 512, 3), 0);
  ASSERT_EQ(store.truncate(file, 4096), 0);
  EXPECT_EQ(runs(0, 4096), "1000*x 3096*0");
}

TEST_F(StoreData, ASectorWrittenIntoAHoleMakesItsBlockData) {
  ASSERT_EQ(store.truncate(file, 65536), 0);
  EXPECT_EQ(map(), "of 65536");
  EXPECT_EQ(write(4096 + 512, 512), 512);
  EXPECT_EQ(map(), "[4096,8192) of 65536");
  EXPECT_EQ(runs(0, 16384), "4608*0 512*x 11264*0");
  EXPECT_EQ(store.seek(file, 0, Whence::data), 4096);
  EXPECT_EQ(store.seek(file, 0, Whence::hole), 0);
  EXPECT_EQ(store.seek(file, 5000, Whence::data), 5000);
  EXPECT_EQ(store.seek(file, 5000, Whence::hole), 8192);
  EXPECT_EQ(store.seek(file, 8191, Whence::data), 8191);
  EXPECT_EQ(store.seek(file, 8192, Whence::data), -ENXIO);
  EXPECT_EQ(store.seek(file, 8192, Whence::hole), 8192);
}

TEST_F(StoreData, ABlockTakenFromAnotherFileShowsNothingOfIt) {
  ASSERT_EQ(write(0, 1 << 20, 's'), 1 << 20);
  ASSERT_EQ(store.truncate(file, 0), 0);
  fresh();
  ASSERT_EQ(write(1024, 512), 512);
  ASSERT_EQ(store.truncate(file, 4096), 0);
  EXPECT_EQ(runs(0, 4096), "1024*0 512*x 2560*0");
}

TEST_F(StoreData, WritesExtendTheFileBySectors) {
  EXPECT_EQ(write(0, 700), -EINVAL);
  EXPECT_EQ(map(), "of 0");
  EXPECT_EQ(write(0, 512), 512);
  EXPECT_EQ(map(), "[0,512) of 512");
  EXPECT_EQ(write(9216, 512), 512);
  EXPECT_EQ(map(), "[0,4096) [8192,9728) of 9728");
  EXPECT_EQ(runs(0, 16384), "512*x 8704*0 512*x");
  EXPECT_EQ(store.seek(file, 9727, Whence::hole), 9728);
  for (const uint64_t behind : {9728U, 12000U})
    for (const Whence whence : {Whence::data, Whence::hole})
      EXPECT_EQ(store.seek(file, behind, whence), -ENXIO);
  ASSERT_EQ(store.truncate(file, 20000), 0);
  EXPECT_EQ(map(), "[0,4096) [8192,12288) of 20000");
  EXPECT_EQ(runs(8192, 12288), "1024*0 512*x 10272*0");
  EXPECT_EQ(store.seek(file, 9728, Whence::hole), 12288);
}

TEST_F(StoreData, TruncateAllocatesNothingAndFreesWhatLiesBehind) {
  const uint64_t before = free_blocks();
  ASSERT_EQ(store.truncate(file, 10000), 0);
  EXPECT_EQ(map(), "of 10000");
  EXPECT_EQ(store.seek(file, 0, Whence::hole), 0);
  EXPECT_EQ(store.seek(file, 9999, Whence::hole), 9999);
  EXPECT_EQ(store.seek(file, 10000, Whence::hole), -ENXIO);
  ASSERT_EQ(write(8192, 4096), 4096);
  ASSERT_EQ(store.truncate(file, 9000), 0);
  EXPECT_EQ(map(), "[8192,9000) of 9000");
  ASSERT_EQ(store.truncate(file, 20480), 0);
  EXPECT_EQ(map(), "[8192,12288) of 20480");
  EXPECT_EQ(runs(8192, 4096), "808*x 3288*0");
  EXPECT_EQ(free_blocks(), before - 1);
  ASSERT_EQ(store.truncate(file, 8192), 0);
  EXPECT_EQ(map(), "of 8192");
  EXPECT_EQ(free_blocks(), before);
  ASSERT_EQ(write(0, 8192), 8192);
  ASSERT_EQ(store.truncate(file, 4097), 0);
  EXPECT_EQ(map(), "[0,4097) of 4097");
  ASSERT_EQ(store.truncate(file, 4096), 0);
  EXPECT_EQ(map(), "[0,4096) of 4096");
  ASSERT_EQ(store.truncate(file, 0), 0);
  EXPECT_EQ(map(), "of 0");
  EXPECT_EQ(store.seek(file, 0, Whence::data), -ENXIO);
}

TEST_F(StoreData, PunchingFreesWholeBlocksAndZeroesTheRest) {
  ASSERT_EQ(write(0, 65536), 65536);
  EXPECT_EQ(store.punch_hole(file, 4096, 8192), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,65536) of 65536");
  EXPECT_EQ(store.punch_hole(file, 20480 + 512, 1024), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,65536) of 65536");
  EXPECT_EQ(runs(20480, 4096), "512*x 1024*0 2560*x");
  EXPECT_EQ(store.punch_hole(file, 24576 + 100, 8192), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,28672) [32768,65536) of 65536");
  EXPECT_EQ(runs(24576, 16384), "100*x 8192*0 8092*x");
  EXPECT_EQ(store.punch_hole(file, 61440, 1 << 20), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,28672) [32768,61440) of 65536");
  EXPECT_EQ(store.punch_hole(file, 65536, 4096), 0);
  EXPECT_EQ(store.punch_hole(file, uint64_t{1} << 40, 4096), 0);
  EXPECT_EQ(store.punch_hole(file, 0, 0), -EINVAL);
  EXPECT_EQ(store.punch_hole(file, ~uint64_t{0}, 4096), -EINVAL);
  EXPECT_EQ(store.punch_hole(file, 0, uint64_t{1} << 45), -EFBIG);
  EXPECT_EQ(store.punch_hole(file, 0x7ffffffffffff000, 8192), -EFBIG);
  EXPECT_EQ(map(), "[0,4096) [12288,28672) [32768,61440) of 65536");
}

TEST_F(StoreData, APartOfABlockIsZeroedNotFreed) {
  ASSERT_EQ(write(0, 4096), 4096);
  EXPECT_EQ(store.punch_hole(file, 0, 1000), 0);
  EXPECT_EQ(store.punch_hole(file, 1000, 3096), 0);
  EXPECT_EQ(map(), "[0,4096) of 4096");
  EXPECT_EQ(runs(0, 4096), "4096*0");
}

TEST_F(StoreData, PunchingBehindTheEndTakesTheLastBlockToo) {
  ASSERT_EQ(write(0, 65536), 65536);
  ASSERT_EQ(store.truncate(file, 63000), 0);
  EXPECT_EQ(store.punch_hole(file, 61440, 1560), 0);  // exactly to the end: a part of a block
  EXPECT_EQ(map(), "[0,63000) of 63000");
  EXPECT_EQ(store.punch_hole(file, 61440, 1561), 0);
  EXPECT_EQ(map(), "[0,61440) of 63000");
  EXPECT_EQ(store.punch_hole(file, 57344, 5660), 0);
  EXPECT_EQ(map(), "[0,57344) of 63000");
  EXPECT_EQ(store.punch_hole(file, 56000, 1 << 20), 0);
  ASSERT_EQ(store.truncate(file, 65536), 0);
  EXPECT_EQ(map(), "[0,57344) of 65536");
  EXPECT_EQ(runs(53248, 12288), "2752*x 9536*0");
}

TEST_F(StoreData, TheLargestFile) {
  EXPECT_EQ(write(kMax - 4096, 4096), 4096);
  EXPECT_EQ(map(), "[17592186036224,17592186040320) of 17592186040320");
  EXPECT_EQ(store.seek(file, kMax - 1, Whence::data), static_cast<int64_t>(kMax - 1));
  EXPECT_EQ(store.seek(file, kMax - 1, Whence::hole), static_cast<int64_t>(kMax));
  EXPECT_EQ(store.seek(file, ~uint64_t{0}, Whence::hole), -ENXIO);
  EXPECT_EQ(write(kMax - 512, 1024), 512);
  EXPECT_EQ(write(kMax - 512, 1023), 512);
  EXPECT_EQ(write(kMax, 512), -EFBIG);
  EXPECT_EQ(write(kMax, 511), -EFBIG);
  EXPECT_EQ(write(kMax + 1, 512), -EFBIG);
  EXPECT_EQ(write(kMax + 512, 512, 'x', 3), -EFBIG);
  EXPECT_EQ(write(uint64_t{1} << 62, 512), -EFBIG);
  EXPECT_EQ(write(0x7ffffffffffffe00, 512), -EINVAL);
  EXPECT_EQ(write(kMax, 0), 0);
  EXPECT_EQ(read(kMax - 512, 1024), -EINVAL);  // ext4 maps a block that cannot be
  EXPECT_EQ(runs(kMax - 512, 512), "512*x");
  EXPECT_EQ(read(kMax, 512), 0);
  EXPECT_EQ(read(uint64_t{1} << 62, 512), 0);
  EXPECT_EQ(store.truncate(file, kMax), 0);
  EXPECT_EQ(store.truncate(file, kMax + 1), -EFBIG);
  EXPECT_EQ(store.truncate(file, uint64_t{1} << 62), -EFBIG);
  EXPECT_EQ(store.truncate(file, ~uint64_t{0}), -EINVAL);
  EXPECT_EQ(store.punch_hole(file, kMax, 4096), -EFBIG);
  EXPECT_EQ(store.punch_hole(file, kMax - 4096, 8192), -EFBIG);
  // 6.1.192 cannot punch the very last block; 6.12.117 can.
  EXPECT_EQ(store.punch_hole(file, kMax - 4096, 4096), 0);
  EXPECT_EQ(map(), "of 17592186040320");
}

TEST_F(StoreData, OnlyRegularFilesHaveContents) {
  file = MemoryStore::kRoot;
  EXPECT_EQ(read(0, 512), -EISDIR);
  EXPECT_EQ(write(0, 512), -EISDIR);
  EXPECT_EQ(store.truncate(file, 0), -EISDIR);
  EXPECT_EQ(store.punch_hole(file, 0, 4096), -EISDIR);
  file = store.make_other("/fifo");
  EXPECT_EQ(read(0, 512), -EINVAL);
  EXPECT_EQ(store.truncate(file, 0), -EINVAL);
}

TEST_F(StoreData, SectorsRememberWhetherTheyWereWritten) {
  EXPECT_TRUE(store.was_written(file, 0, 0));
  EXPECT_FALSE(store.was_written(file, 0, 1));
  ASSERT_EQ(store.truncate(file, 1 << 20), 0);
  ASSERT_EQ(write(4608, 512), 512);
  EXPECT_TRUE(store.was_written(file, 4608, 512));
  EXPECT_TRUE(store.was_written(file, 4700, 10));
  EXPECT_FALSE(store.was_written(file, 4096, 4096));
  EXPECT_FALSE(store.was_written(file, 4607, 2));
  EXPECT_FALSE(store.was_written(file, 5119, 2));
  ASSERT_EQ(write(126976, 8192), 8192);  // over the border of two chunks
  EXPECT_TRUE(store.was_written(file, 126976, 8192));
  EXPECT_FALSE(store.was_written(file, 126976, 8193));
  EXPECT_FALSE(store.was_written(file, uint64_t{1} << 63, 1));
  EXPECT_FALSE(store.was_written(file, 0, ~uint64_t{0}));
}

TEST_F(StoreData, PunchedAndTruncatedSectorsAreUnwritten) {
  ASSERT_EQ(write(0, 16384), 16384);
  ASSERT_EQ(store.punch_hole(file, 512, 1024), 0);
  EXPECT_TRUE(store.was_written(file, 0, 512));
  EXPECT_FALSE(store.was_written(file, 512, 1));
  EXPECT_FALSE(store.was_written(file, 1535, 1));
  EXPECT_TRUE(store.was_written(file, 1536, 16384 - 1536));
  ASSERT_EQ(store.punch_hole(file, 4096, 4096), 0);
  EXPECT_FALSE(store.was_written(file, 4096, 512));
  ASSERT_EQ(store.truncate(file, 9216), 0);
  ASSERT_EQ(store.truncate(file, 16384), 0);
  EXPECT_TRUE(store.was_written(file, 8192, 1024));
  EXPECT_FALSE(store.was_written(file, 9216, 512));
  ASSERT_EQ(write(12288, 512), 512);
  EXPECT_TRUE(store.was_written(file, 12288, 512));
  EXPECT_FALSE(store.was_written(file, 12800, 512));
}

TEST_F(StoreData, SeekingOverLongStretches) {
  constexpr uint64_t kStep = uint64_t{3} << 20;  // leaves of 4 MiB: in, at and across their borders
  ASSERT_EQ(store.truncate(file, 100 * kStep), 0);
  for (uint64_t i = 0; i < 16; ++i) ASSERT_EQ(write(kStep + (i << 20), 1 << 20), 1 << 20);
  ASSERT_EQ(write(50 * kStep, 512), 512);
  EXPECT_EQ(map(), "[3145728,19922944) [157286400,157290496) of 314572800");
  ASSERT_EQ(store.punch_hole(file, 2 * kStep, 4 * kStep), 0);
  EXPECT_EQ(map(), "[3145728,6291456) [18874368,19922944) [157286400,157290496) of 314572800");
}

}  // namespace
}  // namespace coldread::sim
