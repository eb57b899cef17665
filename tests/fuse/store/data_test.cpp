// Contents, attributes and xattrs of files on a real directory, and its file system.
#include <sys/statvfs.h>

#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

constexpr const char* kXattr = "user.CacheFiles.cache";

class DirectoryStoreData : public DirectoryStoreTest {
 protected:
  // What seeking finds: "[4096,8192) of 65536".
  std::string map() {
    std::string text;
    for (int64_t at = store->seek(file, 0, Whence::data); at >= 0;) {
      const int64_t end = store->seek(file, static_cast<uint64_t>(at), Whence::hole);
      text += '[' + std::to_string(at) + ',' + std::to_string(end) + ") ";
      at = store->seek(file, static_cast<uint64_t>(end), Whence::data);
    }
    return text + "of " + std::to_string(attributes(file).size);
  }
  void SetUp() override {
    DirectoryStoreTest::SetUp();
    file = make_file("file");
  }
  InodeNumber file = 0;
};

TEST_F(DirectoryStoreData, IsWhatWasWritten) {
  EXPECT_EQ(write(file, 8192, 4096, 'a'), 4096);
  EXPECT_EQ(write(file, 65536, 512, 'b'), 512);
  EXPECT_EQ(map(), "[8192,12288) [65536,66048) of 66048");
  EXPECT_EQ(read(file, 4096, 8192), 8192);
  EXPECT_EQ(text(0, 4096), std::string(4096, '\0'));
  EXPECT_EQ(text(4096, 4096), std::string(4096, 'a'));
  EXPECT_EQ(read(file, 65536, 4096), 512) << "short at the end";
  EXPECT_EQ(read(file, 131072, 4096), 0);
  EXPECT_EQ(read(file, 0, 0), 0);
  EXPECT_EQ(write(file, 0, 0, 'x'), 0);
  EXPECT_EQ(attributes(file).sectors, 16U);
  EXPECT_TRUE(store->was_written(file, 0, 1));
}

TEST_F(DirectoryStoreData, HasHolesAgainAfterPunching) {
  write(file, 0, 65536, 'a');
  EXPECT_EQ(store->punch_hole(file, 4096, 8192), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,65536) of 65536");
  EXPECT_EQ(store->punch_hole(file, 60000, 1000000), 0);
  EXPECT_EQ(attributes(file).size, 65536U);
  EXPECT_EQ(store->zero_range(file, 20480, 100), 0);
  EXPECT_EQ(read(file, 20480, 512), 512);
  EXPECT_EQ(text(0, 102), std::string(100, '\0') + "aa");
  EXPECT_EQ(store->zero_range(file, 4096, 4096), 0);
  EXPECT_EQ(read(file, 4096, 4096), 4096);
  EXPECT_EQ(store->seek(file, 4096, Whence::data), 12288) << "a hole stays one, read or not";
  EXPECT_EQ(store->truncate(file, 16384), 0);
  EXPECT_EQ(store->truncate(file, 1 << 20), 0);
  EXPECT_EQ(map(), "[0,4096) [12288,16384) of 1048576");
  for (auto change : {&DirectoryStore::punch_hole, &DirectoryStore::zero_range}) {
    EXPECT_EQ((*store.*change)(file, 0, 0), -EINVAL);
    EXPECT_EQ((*store.*change)(file, UINT64_MAX, 1), -EINVAL);
    EXPECT_EQ((*store.*change)(file, 4096, INT64_MAX), -EFBIG);
  }
}

TEST_F(DirectoryStoreData, KeepsItsHolesBuffered) {
  open({.direct = false});
  file = make_file("buffered");
  store->truncate(file, 1 << 20);
  EXPECT_EQ(write(file, 65536, 512, 'a'), 512);
  EXPECT_EQ(store->zero_range(file, 0, 32768), 0);
  EXPECT_EQ(read(file, 0, 1 << 20), 1 << 20);
  EXPECT_EQ(map(), "[65536,69632) of 1048576");
  EXPECT_EQ(write(file, 1, 512, 'a'), -EINVAL) << "aligned as with O_DIRECT";
  EXPECT_EQ(read(file, 0, 511), -EINVAL);
  EXPECT_EQ(read(file, 0, 512, 1), -EINVAL);
}

// As a crash may leave them: allocated, not written. Readahead would make them look like data.
TEST_F(DirectoryStoreData, OfBufferedFilesIsNotWhatReadaheadBrings) {
  const int fd = ::open((directory / "unwritten").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  if (fallocate(fd, 0, 0, 1 << 20) < 0) GTEST_SKIP() << "no fallocate() here";
  const std::string data(8192, 'a');
  ASSERT_EQ(pwrite(fd, data.data(), data.size(), 0), 8192);
  ASSERT_EQ(fsync(fd), 0);
  ASSERT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  close(fd);
  open({.direct = false});
  ASSERT_EQ(store->lookup(store->root(), "unwritten", &file), 0);
  EXPECT_EQ(read(file, 0, 4096), 4096);
  EXPECT_EQ(read(file, 4096, 4096), 4096);
  EXPECT_EQ(map(), "[0,8192) of 1048576");
}

TEST_F(DirectoryStoreData, InMemoryIsReadWithoutAHelper) {
  if (!directory.is_ext4()) GTEST_SKIP() << "another file system may not tell";
  open({.direct = false});
  file = make_file("buffered");
  EXPECT_EQ(write(file, 0, 8192, 'a'), 8192);
  const size_t before = offload.calls;
  EXPECT_EQ(read(file, 0, 8192), 8192);
  EXPECT_EQ(text(0, 8192), std::string(8192, 'a'));
  EXPECT_EQ(offload.calls, before);
  EXPECT_EQ(read(file, 4096, 8192), 4096) << "short at the end";
  EXPECT_EQ(offload.calls, before + 1);
}

TEST_F(DirectoryStoreData, IsNotThereBehindTheEnd) {
  store->truncate(file, 4096);
  EXPECT_EQ(store->seek(file, 0, Whence::data), -ENXIO);
  EXPECT_EQ(store->seek(file, 0, Whence::hole), 0);
  EXPECT_EQ(store->seek(file, 4096, Whence::hole), -ENXIO);
  EXPECT_EQ(store->seek(file, UINT64_MAX, Whence::data), -ENXIO);
}

TEST_F(DirectoryStoreData, HasLimits) {
  ASSERT_TRUE(store->can_hold_cache(store->root()));
  const auto limit = static_cast<uint64_t>(store->max_file_size());
  if (directory.is_ext4()) {
    EXPECT_EQ(limit, (uint64_t{1} << 44) - 4096);
  }
  EXPECT_EQ(store->truncate(file, limit), 0);
  EXPECT_EQ(store->truncate(file, limit + 1), -EFBIG);
  EXPECT_EQ(store->truncate(file, UINT64_MAX), -EINVAL);
  EXPECT_EQ(write(file, limit / 4096 * 4096 + 4096, 4096, 'x'), -EFBIG);
  EXPECT_EQ(write(file, UINT64_MAX - 4095, 4096, 'x'), -EINVAL);
  EXPECT_EQ(read(file, INT64_MAX - 4095, 8192), -EINVAL);
}

TEST_F(DirectoryStoreData, IsNotADirectorys) {
  const InodeNumber dir = make_directory("dir");
  EXPECT_EQ(store->truncate(dir, 0), -EISDIR);
  EXPECT_EQ(store->punch_hole(dir, 0, 1), -EISDIR);
  EXPECT_EQ(store->zero_range(dir, 0, 1), -EISDIR);
  EXPECT_EQ(store->seek(dir, 0, Whence::data), -EISDIR);
  EXPECT_EQ(read(dir, 0, 512), -EISDIR);
  EXPECT_EQ(write(dir, 0, 512, 'x'), -EISDIR);
}

// How memory must be aligned is the device's affair.
TEST_F(DirectoryStoreData, MustBeAlignedOnExt4) {
  if (!directory.is_ext4()) GTEST_SKIP() << "no ext4 here";
  write(file, 0, 65536, 'a');
  EXPECT_EQ(write(file, 1, 512, 'x'), -EINVAL);
  EXPECT_EQ(write(file, 0, 511, 'x'), -EINVAL);
  EXPECT_EQ(read(file, 1, 512), -EINVAL);
  EXPECT_EQ(read(file, 0, 511), -EINVAL);
}

TEST_F(DirectoryStoreData, WithXattrs) {
  if (!directory.has_user_xattrs()) GTEST_SKIP() << "no user xattrs here";
  const std::string bytes("\0\1 bytes", 8);
  const auto value = std::as_bytes(std::span(bytes));
  const std::span<std::byte> out(memory.data(), 100);
  for (const InodeNumber inode : {file, make_directory("dir"), make_tmpfile()}) {
    EXPECT_EQ(store->getxattr(inode, kXattr, out), -ENODATA);
    EXPECT_EQ(store->removexattr(inode, kXattr), -ENODATA);
    EXPECT_EQ(store->setxattr(inode, kXattr, value), 0);
    EXPECT_EQ(store->getxattr(inode, kXattr, {}), 8) << "the length";
    EXPECT_EQ(store->getxattr(inode, kXattr, out.first(7)), -ERANGE);
    EXPECT_EQ(store->getxattr(inode, kXattr, out), 8);
    EXPECT_EQ(text(0, 8), bytes);
    EXPECT_EQ(store->setxattr(inode, kXattr, value.first(1)), 0);
    EXPECT_EQ(store->getxattr(inode, kXattr, out), 1);
    EXPECT_EQ(store->removexattr(inode, kXattr), 0);
  }
  const std::vector<std::byte> large(65537);
  EXPECT_EQ(store->setxattr(file, kXattr, large), -E2BIG);
  if (directory.is_ext4()) {
    EXPECT_EQ(store->setxattr(file, kXattr, std::span(large).first(65536)), -ENOSPC);
  }
  for (const std::string& name : {std::string(), "user." + std::string(251, 'x')}) {
    EXPECT_EQ(store->setxattr(file, name, value), -ERANGE);
    EXPECT_EQ(store->getxattr(file, name, out), -ERANGE);
    EXPECT_EQ(store->removexattr(file, name), -ERANGE);
  }
  EXPECT_EQ(store->setxattr(file, "unknown.name", value), -EOPNOTSUPP);
  EXPECT_EQ(store->getxattr(file, "unknown.name", out), -EOPNOTSUPP);
}

TEST_F(DirectoryStoreData, LiesOnAFileSystem) {
  FilesystemStatistics statistics;
  struct statvfs expected;
  ASSERT_EQ(store->statfs(&statistics), 0);
  ASSERT_EQ(statvfs(directory.path().c_str(), &expected), 0);
  EXPECT_EQ(statistics.block_size, expected.f_bsize);
  EXPECT_EQ(statistics.blocks, expected.f_blocks);
  EXPECT_EQ(statistics.files, expected.f_files);
  EXPECT_FALSE(store->read_only());
  EXPECT_EQ(store->sync(), 0);
}

TEST_F(DirectoryStoreData, CannotLieOnEveryFileSystem) {
  EXPECT_EQ(store->can_hold_cache(store->root()), directory.has_user_xattrs());
  EXPECT_TRUE(misuses.empty());
  InodeNumber proc = 0;
  ASSERT_EQ(store->path_lookup("/proc", store->root(), &proc), 0);
  EXPECT_FALSE(store->can_hold_cache(proc));
  EXPECT_FALSE(store->can_hold_cache(file));
}

}  // namespace
}  // namespace coldread::fuse
