// The store on other file systems, and by somebody who is not root: in child processes, with mounts
// that nobody else sees.
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

constexpr int kCannot = 77;

class DirectoryStoreElsewhere : public DirectoryStoreTest {
 protected:
  void SetUp() override {}

  // Runs `body` in a child; false: the child cannot do what the test is about.
  template <typename Body>
  bool in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) {
      const bool could = body();
      std::fflush(nullptr);
      _exit(HasFailure() ? 1 : could ? 0 : kCannot);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1) << status;
    return WEXITSTATUS(status) != kCannot;
  }

  bool own_mounts() const {
    return unshare(CLONE_NEWNS) == 0 &&
           mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  }
  bool mount_tmpfs(const std::string& at, const char* options) const {
    return mount("none", at.c_str(), "tmpfs", 0, options) == 0;
  }
  InodeNumber found = 0;
};

TEST_F(DirectoryStoreElsewhere, NothingChangesOnAReadOnlyOne) {
  const bool could = in_child([this] {
    if (!own_mounts() || !mount_tmpfs(directory.path(), "size=1m")) return false;
    open();
    write(make_file("file"), 0, 4096, 'x');
    make_directory("dir");
    store.reset();
    if (mount(nullptr, directory.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) < 0)
      return false;
    open();
    const InodeNumber root = store->root();
    EXPECT_TRUE(store->read_only());
    EXPECT_EQ(store->mkdir(root, "x", 0700, &found), -EROFS);
    EXPECT_EQ(store->tmpfile(root, 0600, &found), -EROFS);
    EXPECT_EQ(store->unlink(root, "file"), -EROFS);
    EXPECT_EQ(store->rename(root, "file", root, "x"), -EROFS);
    EXPECT_EQ(store->lookup(root, "file", &found), 0);
    EXPECT_EQ(read(found, 0, 4096), 4096);
    EXPECT_EQ(text(0, 2), "xx");
    EXPECT_EQ(store->seek(found, 0, Whence::hole), 4096);
    EXPECT_EQ(write(found, 0, 4096, 'y'), -EROFS);
    EXPECT_EQ(store->truncate(found, 0), -EROFS);
    EXPECT_EQ(store->punch_hole(found, 0, 1), -EROFS);
    EXPECT_EQ(store->zero_range(found, 0, 1), -EROFS);
    EXPECT_EQ(store->link(found, root, "x"), -EROFS);
    const int xattr = store->setxattr(found, "user.x", {});
    EXPECT_TRUE(xattr == -EROFS || xattr == -EOPNOTSUPP) << xattr;
    return true;
  });
  if (!could) GTEST_SKIP() << "no mounts can be made here";
}

TEST_F(DirectoryStoreElsewhere, AFullOneSaysSo) {
  const bool could = in_child([this] {
    if (!own_mounts() || !mount_tmpfs(directory.path(), "size=64k,nr_inodes=4")) return false;
    open();
    EXPECT_EQ(write(make_file("file"), 0, 32768, 'x'), 32768);
    const InodeNumber other = make_file("other");
    EXPECT_EQ(store->truncate(other, 1 << 20), 0);
    ssize_t written = 0;
    for (uint64_t at = 0; at < 65536 && written >= 0; at += 4096)
      written = write(other, at, 4096, 'x');
    EXPECT_EQ(written, -ENOSPC);
    make_directory("dir");
    EXPECT_EQ(store->mkdir(store->root(), "dir 2", 0700, &found), -ENOSPC);
    EXPECT_EQ(store->tmpfile(store->root(), 0600, &found), -ENOSPC);
    FilesystemStatistics statistics;
    EXPECT_EQ(store->statfs(&statistics), 0);
    EXPECT_EQ(statistics.blocks_available, 0U);
    EXPECT_EQ(statistics.files_free, 0U);
    return true;
  });
  if (!could) GTEST_SKIP() << "no mounts can be made here";
}

TEST_F(DirectoryStoreElsewhere, TwoWithTheSameNumbersAreToldApart) {
  const bool could = in_child([this] {
    const std::string paths[] = {directory / "a", directory / "b"};
    if (!own_mounts()) return false;
    InodeNumber roots[2] = {};
    open();
    for (int i = 0; i < 2; ++i) {
      if (mkdir(paths[i].c_str(), 0755) < 0 ||
          !mount_tmpfs(paths[i], i == 0 ? "size=1m" : "size=2m"))
        return false;
      EXPECT_EQ(store->path_lookup(paths[i], 0, &roots[i]), 0);
      EXPECT_EQ(store->mkdir(roots[i], i == 0 ? "x" : "y", 0700, &found), 0);
    }
    EXPECT_NE(roots[0], roots[1]);
    EXPECT_EQ(look(roots[0], "x"), 0);
    EXPECT_EQ(look(roots[0], "y"), -ENOENT);
    EXPECT_EQ(look(roots[1], "y"), 0);
    EXPECT_EQ(look(store->root(), "a"), -EXDEV);
    EXPECT_EQ(store->rename(roots[0], "x", roots[1], "x"), -EXDEV);
    for (int i = 0; i < 2; ++i) {
      FilesystemStatistics statistics;
      store->can_hold_cache(roots[i]);
      EXPECT_EQ(store->statfs(&statistics), 0);
      EXPECT_EQ(statistics.blocks * statistics.block_size, static_cast<uint64_t>(i + 1) << 20);
    }
    store->can_hold_cache(store->root());
    store->put(roots[0]);
    store->put(roots[1]);
    store->put(found);
    return true;
  });
  if (!could) GTEST_SKIP() << "no mounts can be made here";
}

TEST_F(DirectoryStoreElsewhere, FilesWithoutPermissionsAreTheirOwnersAllTheSame) {
  const bool could = in_child([this] {
    if (chown(directory.path().c_str(), 65534, 65534) < 0) return false;
    open({.handles = false});
    if (setgroups(0, nullptr) < 0 || setresgid(65534, 65534, 65534) < 0 ||
        setresuid(65534, 65534, 65534) < 0)
      return false;
    InodeNumber file = make_tmpfile(0);
    EXPECT_EQ(store->link(file, store->root(), "file"), 0);
    EXPECT_EQ(write(file, 0, 4096, 'x'), 4096);
    store->put(file);
    EXPECT_EQ(store->lookup(store->root(), "file", &file), 0);
    EXPECT_EQ(read(file, 0, 4096), 4096);
    EXPECT_EQ(text(0, 1), "x");
    EXPECT_EQ(attributes(file).mode, 0U);
    InodeNumber top = 0;
    EXPECT_EQ(store->path_lookup("/", 0, &top), 0);
    EXPECT_EQ(store->mkdir(top, "not allowed", 0700, &found), -EACCES);
    return true;
  });
  if (!could) GTEST_SKIP() << "only root can become somebody else";
}

}  // namespace
}  // namespace coldread::fuse
