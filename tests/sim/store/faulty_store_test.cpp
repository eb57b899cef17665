// Calls go wrong when they were planned to, and only then.
#include "sim/store/faulty_store.h"

#include <cerrno>

#include "tests/sim/store/store_fixture.h"

namespace coldread::sim {
namespace {

class Faulty : public StoreTest {
 protected:
  ssize_t write(size_t length) { return faulty_.write(file, 0, {memory.data(), length}); }

  FaultyStore faulty_{store};
};

TEST_F(Faulty, WithoutAPlanNothingFails) {
  EXPECT_EQ(write(4096), 4096);
  EXPECT_EQ(faulty_.sync(), 0);
}

TEST_F(Faulty, TheNthCallAndThoseAfterItFail) {
  faulty_.plan("write", -EIO, 2, 2);
  faulty_.plan("sync", -EIO, 1, 1);
  EXPECT_EQ(write(4096), 4096);
  EXPECT_EQ(write(8192), -EIO);
  EXPECT_EQ(size(), 4096u) << "nothing is done";
  EXPECT_EQ(write(8192), -EIO);
  EXPECT_EQ(write(8192), 8192);
  EXPECT_EQ(faulty_.sync(), -EIO);
  EXPECT_EQ(faulty_.sync(), 0);
}

TEST_F(Faulty, PlansAreCountedEachForItself) {
  faulty_.plan("write", -EIO, 1, 1);
  faulty_.plan("write", -ENOSPC, 2, 1);
  faulty_.plan("write", -EFBIG, 2, 1);
  EXPECT_EQ(write(4096), -EIO);
  EXPECT_EQ(write(4096), -ENOSPC);
  EXPECT_EQ(write(4096), -EFBIG) << "the first that fits is the call's; the others wait";
  EXPECT_EQ(write(4096), 4096);
}

TEST_F(Faulty, ReadsAndWritesMayBeShort) {
  faulty_.plan("write", 512, 1, 1);
  EXPECT_EQ(write(4096), 512);
  EXPECT_EQ(write(8192), 8192);
  faulty_.plan("read", 4096, 1, 1);
  faulty_.plan("read", 65536, 2, 1);
  EXPECT_EQ(faulty_.read(file, 0, {memory.data(), 8192}), 4096);
  EXPECT_EQ(faulty_.read(file, 0, {memory.data(), 8192}), 8192);
}

TEST_F(Faulty, EveryCallCanFail) {
  InodeNumber out = 0;
  FileAttributes attributes;
  FilesystemStatistics statistics;
  for (const char* call : {"path_lookup", "lookup", "mkdir", "tmpfile", "link", "unlink", "rename",
                           "getattr", "truncate", "punch_hole", "zero_range", "getxattr",
                           "setxattr", "removexattr", "seek", "read", "write", "statfs", "sync"})
    faulty_.plan(call, -EIO, 1, 1);
  constexpr InodeNumber kRoot = MemoryStore::kRoot;
  EXPECT_EQ(faulty_.path_lookup("/", kRoot, &out), -EIO);
  EXPECT_EQ(faulty_.lookup(kRoot, "x", &out), -EIO);
  EXPECT_EQ(faulty_.mkdir(kRoot, "x", 0700, &out), -EIO);
  EXPECT_EQ(faulty_.tmpfile(kRoot, 0600, &out), -EIO);
  EXPECT_EQ(faulty_.link(file, kRoot, "x"), -EIO);
  EXPECT_EQ(faulty_.unlink(kRoot, "x"), -EIO);
  EXPECT_EQ(faulty_.rename(kRoot, "x", kRoot, "y"), -EIO);
  EXPECT_EQ(faulty_.getattr(file, &attributes), -EIO);
  EXPECT_EQ(faulty_.truncate(file, 1), -EIO);
  EXPECT_EQ(faulty_.punch_hole(file, 0, 1), -EIO);
  EXPECT_EQ(faulty_.zero_range(file, 0, 1), -EIO);
  EXPECT_EQ(faulty_.getxattr(file, "user.x", {}), -EIO);
  EXPECT_EQ(faulty_.setxattr(file, "user.x", {}), -EIO);
  EXPECT_EQ(faulty_.removexattr(file, "user.x"), -EIO);
  EXPECT_EQ(faulty_.seek(file, 0, Whence::data), -EIO);
  EXPECT_EQ(faulty_.read(file, 0, {memory.data(), 512}), -EIO);
  EXPECT_EQ(write(512), -EIO);
  EXPECT_EQ(faulty_.statfs(&statistics), -EIO);
  EXPECT_EQ(faulty_.sync(), -EIO);
}

TEST_F(StoreTest, FillingLeavesWhatWasAskedForAndCanBeUndone) {
  FilesystemStatistics before, after;
  store.statfs(&before);
  store.fill_blocks(7);
  store.fill_files(5);
  store.statfs(&after);
  EXPECT_EQ(after.blocks_available, 7u);
  EXPECT_EQ(after.files_free, 5u);
  store.fill_blocks(100);
  store.fill_files(UINT64_MAX);
  store.statfs(&after);
  EXPECT_EQ(after.blocks_available, 100u);
  EXPECT_EQ(after.files_free, before.files_free);
  store.fill_blocks(before.blocks_available + 1);
  store.statfs(&after);
  EXPECT_EQ(after.blocks_available, before.blocks_available) << "more than there is";
}

TEST(StoreWithSmallBlocks, CountsInThese) {
  StoreOptions options;
  options.bytes = uint64_t{1} << 20;
  options.block = 1024;
  options.reserved_blocks = 2;
  MemoryStore store(options);
  FilesystemStatistics statistics;
  store.statfs(&statistics);
  EXPECT_EQ(statistics.block_size, 1024u);
  EXPECT_EQ(statistics.blocks, 1024u);
  EXPECT_EQ(statistics.blocks_available, 1024u - 8u);
  store.fill_blocks(30);
  store.statfs(&statistics);
  EXPECT_EQ(statistics.blocks_available, 28u);
}

}  // namespace
}  // namespace coldread::sim
