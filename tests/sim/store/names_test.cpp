// Names, links, references, xattrs and space. The errnos were first seen on ext4 under
// Linux 6.1.192 and 6.12.117, those of odd names follow lookup_one_len().
#include "tests/sim/store/store_fixture.h"

namespace coldread::sim {
namespace {

constexpr InodeNumber kRoot = MemoryStore::kRoot;

class StoreNames : public StoreTest {
 protected:
  // What path `path` leads to as a directory, or the errno.
  int64_t path(std::string_view text, InodeNumber cwd = kRoot) {
    InodeNumber inode = 0;
    const int error = store.path_lookup(text, cwd, &inode);
    if (error < 0) return error;
    store.put(inode);
    return static_cast<int64_t>(inode);
  }

  int64_t lookup(InodeNumber dir, std::string_view name) {
    InodeNumber inode = 0;
    const int error = store.lookup(dir, name, &inode);
    if (error < 0) return error;
    store.put(inode);
    return static_cast<int64_t>(inode);
  }

  int mkdir(InodeNumber dir, std::string_view name) {
    InodeNumber inode = 0;
    const int error = store.mkdir(dir, name, 0700, &inode);
    if (error == 0) store.put(inode);
    return error;
  }

  bool exists(InodeNumber inode) {
    FileAttributes attributes;
    return store.getattr(inode, &attributes) == 0;
  }

  InodeNumber d = store.make_directory("/d");
  InodeNumber sub = store.make_directory("/d/sub", 0700);
  InodeNumber e = store.make_directory("/e", 0700);
  InodeNumber f = store.make_file("/f", {});
};

TEST_F(StoreNames, Mkdir) {
  EXPECT_EQ(mkdir(kRoot, std::string(255, 'n')), 0);
  EXPECT_EQ(mkdir(kRoot, std::string(256, 'n')), -ENAMETOOLONG);
  EXPECT_EQ(mkdir(kRoot, "d"), -EEXIST);
  EXPECT_EQ(mkdir(kRoot, "f"), -EEXIST);
  EXPECT_EQ(mkdir(f, "x"), -ENOTDIR);
  InodeNumber made = 0;
  ASSERT_EQ(store.mkdir(d, "made", 0710, &made), 0);
  FileAttributes attributes;
  ASSERT_EQ(store.getattr(made, &attributes), 0);
  EXPECT_EQ(attributes.type, FileType::directory);
  EXPECT_EQ(attributes.mode, 0710U);
  EXPECT_EQ(attributes.size, 4096U);
  EXPECT_EQ(attributes.links, 2U);
  EXPECT_EQ(links(d), 4U);
  EXPECT_EQ(lookup(d, "made"), static_cast<int64_t>(made));
}

TEST_F(StoreNames, OddNamesAreRefused) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view name : {""sv, "."sv, ".."sv, "a/b"sv, "a\0b"sv}) {
    EXPECT_EQ(lookup(kRoot, name), -EACCES);
    EXPECT_EQ(mkdir(kRoot, name), -EACCES);
    EXPECT_EQ(store.link(f, kRoot, name), -EACCES);
    EXPECT_EQ(store.unlink(kRoot, name), -EACCES);
    EXPECT_EQ(store.rename(kRoot, name, kRoot, "x"), -EACCES);
    EXPECT_EQ(store.rename(kRoot, "f", kRoot, name), -EACCES);
  }
  const std::string longest(256, 'n');
  EXPECT_EQ(lookup(kRoot, longest), -ENAMETOOLONG);
  EXPECT_EQ(store.link(f, kRoot, longest), -ENAMETOOLONG);
  EXPECT_EQ(store.unlink(kRoot, longest), -ENAMETOOLONG);
  EXPECT_EQ(store.rename(kRoot, "f", kRoot, longest), -ENAMETOOLONG);
}

TEST_F(StoreNames, PathsLeadToDirectories) {
  EXPECT_EQ(path("/"), static_cast<int64_t>(kRoot));
  EXPECT_EQ(path("//d///sub//"), static_cast<int64_t>(sub));
  EXPECT_EQ(path("sub", d), static_cast<int64_t>(sub));
  EXPECT_EQ(path("./../e/.", d), static_cast<int64_t>(e));
  EXPECT_EQ(path("d/..//d/."), static_cast<int64_t>(d));
  EXPECT_EQ(path("/../.."), static_cast<int64_t>(kRoot));
  EXPECT_EQ(path(""), -ENOENT);
  EXPECT_EQ(path("/missing"), -ENOENT);
  EXPECT_EQ(path("/missing/.."), -ENOENT);
  for (const char* not_directory : {"/f", "/f/", "/f/.", "/f/..", "/f/x"})
    EXPECT_EQ(path(not_directory), -ENOTDIR);
  EXPECT_EQ(path("x", f), -ENOTDIR);
  store.make_other("/fifo");
  EXPECT_EQ(path("/fifo/x"), -ENOTDIR);
  EXPECT_EQ(path("/" + std::string(256, 'n')), -ENAMETOOLONG);
  EXPECT_EQ(path(std::string(4095, '/')), static_cast<int64_t>(kRoot));
  EXPECT_EQ(path(std::string(4096, '/')), -ENAMETOOLONG);
}

TEST_F(StoreNames, Link) {
  EXPECT_EQ(store.link(f, kRoot, "f2"), 0);
  EXPECT_EQ(links(f), 2U);
  EXPECT_EQ(lookup(kRoot, "f2"), static_cast<int64_t>(f));
  EXPECT_EQ(store.link(f, kRoot, "d"), -EEXIST);
  EXPECT_EQ(store.link(d, kRoot, "d2"), -EPERM);
  EXPECT_EQ(store.link(f, f, "x"), -ENOTDIR);
}

TEST_F(StoreNames, AFileHasAtMost65000Names) {
  for (int i = 1; i < 65000; ++i) ASSERT_EQ(store.link(f, d, std::to_string(i)), 0);
  EXPECT_EQ(store.link(f, d, "one more"), -EMLINK);
}

TEST_F(StoreNames, Unlink) {
  EXPECT_EQ(store.unlink(kRoot, "missing"), -ENOENT);
  EXPECT_EQ(store.unlink(kRoot, "d"), -EISDIR);
  EXPECT_EQ(store.unlink(f, "x"), -ENOTDIR);
  EXPECT_EQ(store.unlink(kRoot, "f"), 0);
  EXPECT_EQ(lookup(kRoot, "f"), -ENOENT);
  EXPECT_FALSE(exists(f));
}

TEST_F(StoreNames, TmpfilesCanBeLinkedOnce) {
  const InodeNumber tmp = make_tmpfile();
  EXPECT_EQ(links(tmp), 0U);
  EXPECT_EQ(store.link(tmp, kRoot, "t"), 0);
  EXPECT_EQ(links(tmp), 1U);
  EXPECT_EQ(store.unlink(kRoot, "t"), 0);
  EXPECT_EQ(store.link(tmp, kRoot, "t"), -ENOENT);
  EXPECT_TRUE(exists(tmp));
  store.put(tmp);
  EXPECT_FALSE(exists(tmp));
  InodeNumber none = 0;
  EXPECT_EQ(store.tmpfile(f, 0600, &none), -ENOTDIR);
  ASSERT_EQ(store.tmpfile(d, 0, &none), 0);
  FileAttributes attributes;
  ASSERT_EQ(store.getattr(none, &attributes), 0);
  EXPECT_EQ(attributes.mode, 0U);
}

TEST_F(StoreNames, RenameRefuses) {
  EXPECT_EQ(store.rename(kRoot, "missing", kRoot, "x"), -ENOENT);
  EXPECT_EQ(store.rename(kRoot, "f", kRoot, "d"), -EISDIR);
  EXPECT_EQ(store.rename(kRoot, "d", kRoot, "f"), -ENOTDIR);
  EXPECT_EQ(store.rename(kRoot, "e", kRoot, "d"), -ENOTEMPTY);
  EXPECT_EQ(store.rename(kRoot, "d", d, "z"), -EINVAL);
  EXPECT_EQ(store.rename(kRoot, "d", sub, "z"), -EINVAL);
  EXPECT_EQ(store.rename(kRoot, "f", f, "x"), -ENOTDIR);
  EXPECT_EQ(store.rename(d, "sub", kRoot, "d"), -ENOTEMPTY);
  store.make_file("/d/sub/file", {});
  EXPECT_EQ(store.rename(sub, "file", kRoot, "d"), -ENOTEMPTY);
}

TEST_F(StoreNames, RenameOntoItselfDoesNothing) {
  EXPECT_EQ(store.rename(kRoot, "f", kRoot, "f"), 0);
  EXPECT_EQ(store.rename(kRoot, "d", kRoot, "d"), 0);
  ASSERT_EQ(store.link(f, kRoot, "f2"), 0);
  EXPECT_EQ(store.rename(kRoot, "f", kRoot, "f2"), 0);
  EXPECT_EQ(links(f), 2U);
  EXPECT_EQ(lookup(kRoot, "f"), static_cast<int64_t>(f));
}

TEST_F(StoreNames, RenameMovesAndReplaces) {
  EXPECT_EQ(store.rename(kRoot, "e", d, "sub"), 0);  // over an empty directory
  EXPECT_FALSE(exists(sub));
  EXPECT_EQ(links(d), 3U);
  EXPECT_EQ(path("/d/sub"), static_cast<int64_t>(e));
  EXPECT_EQ(path("..", e), static_cast<int64_t>(d));
  EXPECT_EQ(store.rename(d, "sub", kRoot, "e"), 0);
  EXPECT_EQ(links(d), 2U);
  EXPECT_EQ(path("..", e), static_cast<int64_t>(kRoot));
  const InodeNumber g = store.make_file("/g", {});
  EXPECT_EQ(store.rename(kRoot, "g", kRoot, "f"), 0);
  EXPECT_FALSE(exists(f));
  EXPECT_EQ(lookup(kRoot, "f"), static_cast<int64_t>(g));
  EXPECT_EQ(lookup(kRoot, "g"), -ENOENT);
}

TEST_F(StoreNames, ARemovedDirectoryTakesNothingIn) {
  store.get(sub);
  ASSERT_EQ(store.rename(kRoot, "e", d, "sub"), 0);
  EXPECT_EQ(links(sub), 0U);
  EXPECT_EQ(mkdir(sub, "x"), -ENOENT);
  EXPECT_EQ(lookup(sub, "x"), -ENOENT);
  EXPECT_EQ(store.link(f, sub, "x"), -ENOENT);
  EXPECT_EQ(store.rename(kRoot, "f", sub, "x"), -ENOENT);
  EXPECT_EQ(store.unlink(sub, "x"), -ENOENT);
  InodeNumber none = 0;
  EXPECT_EQ(store.tmpfile(sub, 0600, &none), -EPERM);
  EXPECT_EQ(path("..", sub), static_cast<int64_t>(d));
  store.put(sub);
  EXPECT_FALSE(exists(sub));
}

TEST_F(StoreNames, AnUnlinkedFileLivesUntilItsLastReference) {
  InodeNumber found = 0;
  ASSERT_EQ(store.lookup(kRoot, "f", &found), 0);
  store.get(f);
  ASSERT_EQ(store.unlink(kRoot, "f"), 0);
  store.put(f);
  file = f;
  EXPECT_EQ(write(0, 4096), 4096);
  EXPECT_EQ(runs(0, 4096), "4096*x");
  store.put(f);
  EXPECT_FALSE(exists(f));
}

TEST_F(StoreNames, EveryNumberHandedOutIsAReference) {
  store.put(file);
  EXPECT_TRUE(store.held().empty());
  InodeNumber a = 0;
  InodeNumber b = 0;
  InodeNumber c = 0;
  ASSERT_EQ(store.lookup(kRoot, "f", &a), 0);
  ASSERT_EQ(store.path_lookup("/", kRoot, &b), 0);
  ASSERT_EQ(store.mkdir(kRoot, "new", 0700, &c), 0);
  store.get(a);
  const auto held = store.held();
  ASSERT_EQ(held.size(), 3U);
  EXPECT_EQ(held[0].inode, kRoot);
  EXPECT_EQ(held[1].inode, f);
  EXPECT_EQ(held[1].references, 2U);
  EXPECT_EQ(held[2].inode, c);
}

TEST(StoreMisuse, IsReported) {
  std::vector<std::string> said;
  StoreOptions options;
  options.on_misuse = [&](std::string_view text) { said.emplace_back(text); };
  MemoryStore store(options);
  InodeNumber inode = 0;
  ASSERT_EQ(store.tmpfile(kRoot, 0600, &inode), 0);
  store.put(inode);
  EXPECT_TRUE(said.empty());
  EXPECT_EQ(store.truncate(inode, 0), -ESTALE);
  EXPECT_EQ(store.seek(0, 0, Whence::data), -ESTALE);
  EXPECT_EQ(store.lookup(1000, "x", &inode), -ESTALE);
  store.get(inode);
  EXPECT_EQ(said.size(), 4U);
  store.put(kRoot);
  EXPECT_EQ(said.size(), 5U);
  EXPECT_EQ(store.getattr(kRoot, std::make_unique<FileAttributes>().get()), 0);
}

class StoreXattrs : public StoreNames {
 protected:
  int set(std::string_view name, size_t length) {
    return store.setxattr(file, name, {memory.data(), length});
  }
  ssize_t get(std::string_view name, size_t length) {
    return store.getxattr(file, name, {memory.data(), length});
  }
};

TEST_F(StoreXattrs, ComeAndGo) {
  EXPECT_EQ(get("user.a", 10), -ENODATA);
  EXPECT_EQ(store.removexattr(file, "user.a"), -ENODATA);
  std::fill_n(memory.data(), 10, std::byte{'v'});
  EXPECT_EQ(set("user.a", 10), 0);
  EXPECT_EQ(get("user.a", 9), -ERANGE);
  EXPECT_EQ(get("user.a", 0), 10);
  std::fill_n(memory.data(), 12, std::byte{'-'});
  EXPECT_EQ(get("user.a", 12), 10);
  EXPECT_EQ(memory.data()[9], std::byte{'v'});
  EXPECT_EQ(memory.data()[10], std::byte{'-'});
  EXPECT_EQ(set("user.a", 0), 0);
  EXPECT_EQ(get("user.a", 9), 0);
  EXPECT_EQ(store.removexattr(file, "user.a"), 0);
  EXPECT_EQ(get("user.a", 9), -ENODATA);
  file = d;
  EXPECT_EQ(set("user.a", 10), 0);
}

TEST_F(StoreXattrs, NamesAndSizesHaveLimits) {
  ASSERT_EQ(set("user.a", 0), 0);
  EXPECT_EQ(set("user.b", 4040), 0);
  EXPECT_EQ(set("user.b", 4040), 0);  // what it replaces takes no room
  EXPECT_EQ(set("user.b", 4044), -ENOSPC);
  EXPECT_EQ(get("user.b", 0), 4040);
  EXPECT_EQ(set("user.b", 65536), -ENOSPC);
  EXPECT_EQ(set("user.b", 65537), -E2BIG);
  EXPECT_EQ(set("user." + std::string(250, 'n'), 1), -ENOSPC);
  EXPECT_EQ(set("user." + std::string(251, 'n'), 1), -ERANGE);
  EXPECT_EQ(get("user." + std::string(251, 'n'), 1), -ERANGE);
  EXPECT_EQ(store.removexattr(file, "user." + std::string(251, 'n')), -ERANGE);
  EXPECT_EQ(set("", 1), -ERANGE);
  EXPECT_EQ(set("user.", 1), -EINVAL);
  EXPECT_EQ(set("bogus.x", 1), -EOPNOTSUPP);
  EXPECT_EQ(get("bogus.x", 1), -EOPNOTSUPP);
}

TEST_F(StoreNames, ReadOnly) {
  ASSERT_EQ(write(0, 4096), 4096);
  store.remount(true);
  EXPECT_TRUE(store.read_only());
  InodeNumber none = 0;
  EXPECT_EQ(mkdir(kRoot, "q"), -EROFS);
  EXPECT_EQ(mkdir(kRoot, "d"), -EEXIST);
  EXPECT_EQ(store.tmpfile(kRoot, 0600, &none), -EROFS);
  EXPECT_EQ(store.link(f, kRoot, "q"), -EROFS);
  EXPECT_EQ(store.link(f, kRoot, "d"), -EEXIST);
  EXPECT_EQ(store.unlink(kRoot, "f"), -EROFS);
  EXPECT_EQ(store.unlink(kRoot, "missing"), -EROFS);
  EXPECT_EQ(store.rename(kRoot, "f", kRoot, "q"), -EROFS);
  EXPECT_EQ(store.rename(kRoot, "missing", kRoot, "q"), -EROFS);
  EXPECT_EQ(store.truncate(file, 0), -EROFS);
  EXPECT_EQ(store.punch_hole(file, 0, 4096), -EROFS);
  EXPECT_EQ(store.setxattr(f, "user.a", {}), -EROFS);
  EXPECT_EQ(store.removexattr(f, "user.z"), -EROFS);
  EXPECT_EQ(write(0, 512), -EROFS);
  EXPECT_EQ(runs(0, 4096), "4096*x");
  EXPECT_NE(store.make_directory("/prepared"), 0U);
}

class StoreSpace : public testing::Test {
 protected:
  FilesystemStatistics statistics() {
    FilesystemStatistics found;
    EXPECT_EQ(store.statfs(&found), 0);
    return found;
  }

  AlignedMemory memory{1 << 16};
  MemoryStore store{StoreOptions{.bytes = 16 * 4096 + 100, .inodes = 4, .on_misuse = {}}};
};

TEST_F(StoreSpace, BlocksRunOut) {
  EXPECT_EQ(statistics().block_size, 4096U);
  EXPECT_EQ(statistics().blocks, 16U);
  EXPECT_EQ(statistics().blocks_available, 16U);
  InodeNumber big = 0;
  InodeNumber dir = 0;
  ASSERT_EQ(store.tmpfile(kRoot, 0600, &big), 0);
  ASSERT_EQ(store.mkdir(kRoot, "d", 0700, &dir), 0);
  EXPECT_EQ(statistics().blocks_available, 15U);
  // A write that does not fit is no write at all, whether it extends the file or fills a hole.
  EXPECT_EQ(store.write(big, 0, {memory.data(), 16 * 4096}), -ENOSPC);
  EXPECT_EQ(store.seek(big, 0, Whence::data), -ENXIO);
  ASSERT_EQ(store.truncate(big, 1 << 20), 0);
  EXPECT_EQ(store.write(big, 4096, {memory.data(), 16 * 4096}), -ENOSPC);
  EXPECT_EQ(store.seek(big, 0, Whence::data), -ENXIO);
  EXPECT_EQ(statistics().blocks_available, 15U);

  EXPECT_EQ(store.write(big, 0, {memory.data(), 15 * 4096}), 15 * 4096);
  EXPECT_EQ(statistics().blocks_available, 0U);
  EXPECT_EQ(store.write(big, 0, {memory.data(), 15 * 4096}), 15 * 4096);
  EXPECT_EQ(store.write(big, 15 * 4096, {memory.data(), 512}), -ENOSPC);
  InodeNumber none = 0;
  EXPECT_EQ(store.mkdir(kRoot, "full", 0700, &none), -ENOSPC);
  EXPECT_EQ(store.punch_hole(big, 8192, 4096), 0);
  EXPECT_EQ(store.write(big, 15 * 4096, {memory.data(), 512}), 512);
  store.put(big);
  EXPECT_EQ(statistics().blocks_available, 15U);
}

TEST_F(StoreSpace, AReplacedDirectoryGivesItsBlockBack) {
  store.make_directory("/a");
  store.make_directory("/b");
  EXPECT_EQ(statistics().blocks_available, 14U);
  EXPECT_EQ(store.rename(kRoot, "a", kRoot, "b"), 0);
  EXPECT_EQ(statistics().blocks_available, 15U);
  EXPECT_EQ(statistics().files_free, 2U);
}

TEST_F(StoreSpace, InodesRunOut) {
  EXPECT_EQ(statistics().files, 4U);
  EXPECT_EQ(statistics().files_free, 3U);
  InodeNumber made[3] = {};
  for (InodeNumber& inode : made) ASSERT_EQ(store.tmpfile(kRoot, 0600, &inode), 0);
  EXPECT_EQ(statistics().files_free, 0U);
  InodeNumber none = 0;
  EXPECT_EQ(store.tmpfile(kRoot, 0600, &none), -ENOSPC);
  EXPECT_EQ(store.mkdir(kRoot, "x", 0700, &none), -ENOSPC);
  EXPECT_EQ(store.link(made[0], kRoot, "x"), 0);
  EXPECT_EQ(statistics().blocks_available, 16U);
  store.put(made[1]);
  EXPECT_EQ(store.mkdir(kRoot, "y", 0700, &none), 0);
  EXPECT_NE(none, made[1]);  // numbers are never used twice: a stale one is always found out
}

TEST_F(StoreSpace, AFileThatDoesNotFitIsNotMade) {
  const std::vector<std::byte> bytes(17 * 4096);
  EXPECT_EQ(store.make_file("/big", bytes), 0U);
  EXPECT_TRUE(store.dump().empty());
  EXPECT_EQ(statistics().files_free, 3U);
  EXPECT_EQ(statistics().blocks_available, 16U);
}

TEST_F(StoreNames, PreparingRefuses) {
  EXPECT_EQ(store.make_directory("/d"), d);
  EXPECT_EQ(store.make_directory("/"), kRoot);
  EXPECT_EQ(store.make_directory("/f"), 0U);
  EXPECT_EQ(store.make_directory("/f/x"), 0U);
  EXPECT_EQ(store.make_directory("/d/../x"), 0U);
  EXPECT_EQ(store.make_directory("/" + std::string(256, 'n')), 0U);
  EXPECT_EQ(store.make_file("/f", {}), 0U);
  EXPECT_EQ(store.make_file("/d", {}), 0U);
  EXPECT_EQ(store.make_file("/", {}), 0U);
}

TEST_F(StoreNames, PreparedContentsCountAsWrittenExceptForHoles) {
  std::vector<std::byte> bytes(20000, std::byte{'p'});
  const Extent holes[] = {{4096, 12288}, {13000, 14000}};
  file = store.make_file("/a/b/prepared", bytes, holes, 0640);
  ASSERT_NE(file, 0U);
  EXPECT_EQ(map(), "[0,4096) [12288,20000) of 20000");
  EXPECT_EQ(runs(0, 20480), "4096*p 8192*0 712*p 1000*0 6000*p");
  EXPECT_TRUE(store.was_written(file, 0, 4096));
  EXPECT_TRUE(store.was_written(file, 14336, 20000 - 14336));
  EXPECT_FALSE(store.was_written(file, 4096, 512));
  EXPECT_FALSE(store.was_written(file, 13312, 512));
}

TEST_F(StoreNames, TheDumpShowsTheTree) {
  std::vector<std::byte> bytes(9000, std::byte{'p'});
  const Extent holes[] = {{4096, 8192}};
  const InodeNumber data = store.make_file("/d/data", bytes, holes, 0644);
  ASSERT_EQ(store.setxattr(data, "user.x", {bytes.data(), 3}), 0);
  ASSERT_EQ(store.link(data, e, "also"), 0);
  store.make_other("/a", 0622);
  const auto entries = store.dump();
  std::vector<std::string> paths;
  for (const auto& entry : entries) paths.push_back(entry.path);
  EXPECT_EQ(paths, (std::vector<std::string>{"a", "d", "d/data", "d/sub", "e", "e/also", "f"}));
  EXPECT_EQ(entries[0].type, FileType::other);
  EXPECT_EQ(entries[0].mode, 0622U);
  EXPECT_EQ(entries[1].type, FileType::directory);
  EXPECT_EQ(entries[1].links, 3U);
  EXPECT_EQ(entries[2].mode, 0644U);
  EXPECT_EQ(entries[2].size, 9000U);
  EXPECT_EQ(entries[2].links, 2U);
  EXPECT_EQ(entries[2].xattrs.at("user.x").size(), 3U);
  EXPECT_EQ(entries[2].extents, (std::vector<Extent>{{0, 4096}, {8192, 9000}}));
  EXPECT_EQ(store.dump(d).at(0).path, "data");
}

}  // namespace
}  // namespace coldread::sim
