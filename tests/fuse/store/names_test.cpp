// Names on a real directory: what is found, what is refused and with which error, and that nobody
// who changes names behind the store's back leads it elsewhere.
#include <sys/stat.h>

#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

class DirectoryStoreNames : public DirectoryStoreTest {
 protected:
  // A directory that is held and has been removed.
  InodeNumber make_removed_directory() {
    const InodeNumber removed = make_directory("removed");
    EXPECT_EQ(rmdir((directory / "removed").c_str()), 0);
    return removed;
  }
  InodeNumber found = 0;
};

TEST_F(DirectoryStoreNames, ThatAreNoneAreRefused) {
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("a\0b", 3)}) {
    EXPECT_EQ(store->lookup(store->root(), name, &found), -EACCES);
    EXPECT_EQ(store->mkdir(store->root(), name, 0700, &found), -EACCES);
    EXPECT_EQ(store->link(store->root(), store->root(), name), -EACCES);
    EXPECT_EQ(store->unlink(store->root(), name), -EACCES);
    EXPECT_EQ(store->rename(store->root(), name, store->root(), "x"), -EACCES);
    EXPECT_EQ(store->rename(store->root(), "x", store->root(), name), -EACCES);
  }
  EXPECT_EQ(store->lookup(store->root(), std::string(256, 'x'), &found), -ENAMETOOLONG);
  EXPECT_EQ(store->mkdir(store->root(), std::string(1000, 'x'), 0700, &found), -ENAMETOOLONG);
  EXPECT_EQ(store->mkdir(store->root(), std::string(255, 'x'), 0700, &found), 0);
}

TEST_F(DirectoryStoreNames, LeadToTheSameInodeEachTime) {
  const InodeNumber file = make_file("a");
  EXPECT_EQ(store->lookup(store->root(), "a", &found), 0);
  EXPECT_EQ(found, file);
  EXPECT_EQ(store->link(file, store->root(), "b"), 0);
  EXPECT_EQ(store->lookup(store->root(), "b", &found), 0);
  EXPECT_EQ(found, file);
  EXPECT_EQ(attributes(file).links, 2U);
  struct stat status;
  ASSERT_EQ(stat((directory / "a").c_str(), &status), 0);
  EXPECT_EQ(file, status.st_ino);
}

TEST_F(DirectoryStoreNames, ThatLeadNowhere) {
  EXPECT_EQ(look(store->root(), "a"), -ENOENT);
  EXPECT_EQ(look(make_file("file"), "a"), -ENOTDIR);
  EXPECT_EQ(store->tmpfile(make_tmpfile(), 0600, &found), -ENOTDIR);
  EXPECT_EQ(look(make_removed_directory(), "a"), -ENOENT);
}

TEST_F(DirectoryStoreNames, OfLinksAndFifosLeadToTheseAndNoFurther) {
  make_directory("dir");
  ASSERT_EQ(symlink("dir", (directory / "link").c_str()), 0);
  ASSERT_EQ(mkfifo((directory / "fifo").c_str(), 0600), 0);
  for (const char* name : {"link", "fifo"}) {
    ASSERT_EQ(store->lookup(store->root(), name, &found), 0);
    EXPECT_EQ(attributes(found).type, FileType::other);
    EXPECT_EQ(look(found, "x"), -ENOTDIR);
    EXPECT_EQ(store->truncate(found, 0), -EINVAL);
    EXPECT_EQ(read(found, 0, 4096), -EINVAL);
    EXPECT_EQ(store->seek(found, 0, Whence::data), -EINVAL);
    EXPECT_EQ(store->unlink(store->root(), name), 0);
  }
}

TEST_F(DirectoryStoreNames, ReplacedBehindItsBackLeadItNowhereElse) {
  const InodeNumber dir = make_directory("dir");
  make_directory("elsewhere");
  ASSERT_EQ(rename((directory / "dir").c_str(), (directory / "moved").c_str()), 0);
  ASSERT_EQ(symlink("elsewhere", (directory / "dir").c_str()), 0);
  EXPECT_EQ(store->mkdir(dir, "made", 0700, &found), 0);
  EXPECT_TRUE(std::filesystem::exists(directory / "moved/made"));
  EXPECT_FALSE(std::filesystem::exists(directory / "elsewhere/made"));
}

TEST_F(DirectoryStoreNames, OfMountPointsAreNotCrossed) {
  InodeNumber top = 0;
  ASSERT_EQ(store->path_lookup("/", store->root(), &top), 0);
  EXPECT_EQ(look(top, "proc"), -EXDEV);
}

TEST_F(DirectoryStoreNames, AsPaths) {
  const InodeNumber dir = make_directory("dir");
  make_file("file");
  ASSERT_EQ(symlink("dir", (directory / "link").c_str()), 0);
  ASSERT_EQ(store->mkdir(dir, "below", 0700, &found), 0);
  const InodeNumber below = found;

  EXPECT_EQ(store->path_lookup("dir/below", store->root(), &found), 0);
  EXPECT_EQ(found, below);
  EXPECT_EQ(store->path_lookup("link/below", store->root(), &found), 0);
  EXPECT_EQ(found, below);
  EXPECT_EQ(store->path_lookup("..", below, &found), 0);
  EXPECT_EQ(found, dir);
  EXPECT_EQ(store->path_lookup(directory / "dir", 0, &found), 0) << "the root is all it needs";
  EXPECT_EQ(found, dir);

  EXPECT_EQ(store->path_lookup("", store->root(), &found), -ENOENT);
  EXPECT_EQ(store->path_lookup("nothing", store->root(), &found), -ENOENT);
  EXPECT_EQ(store->path_lookup("file", store->root(), &found), -ENOTDIR);
  EXPECT_EQ(store->path_lookup("file/x", store->root(), &found), -ENOTDIR);
  EXPECT_EQ(store->path_lookup("link", store->root(), &found), -ENOTDIR);
  EXPECT_EQ(store->path_lookup(std::string(256, 'x'), store->root(), &found), -ENAMETOOLONG);
  EXPECT_EQ(store->path_lookup(std::string(4096, '/'), store->root(), &found), -ENAMETOOLONG);
  EXPECT_EQ(store->path_lookup(std::string(4095, '/'), store->root(), &found), 0);
}

TEST_F(DirectoryStoreNames, OfDirectoriesThatAreMade) {
  const mode_t mask = umask(0777);
  const InodeNumber dir = make_directory("dir");
  EXPECT_EQ(attributes(make_tmpfile(0640)).mode, 0640U);
  umask(mask);
  EXPECT_EQ(attributes(dir).mode, 0700U);
  EXPECT_EQ(attributes(dir).type, FileType::directory);
  EXPECT_EQ(store->mkdir(store->root(), "dir", 0700, &found), -EEXIST);
  EXPECT_EQ(store->mkdir(make_removed_directory(), "x", 0700, &found), -ENOENT);
}

TEST_F(DirectoryStoreNames, ThatAFileGetsAndLoses) {
  const InodeNumber file = make_tmpfile();
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  EXPECT_EQ(attributes(file).links, 0U);
  EXPECT_EQ(store->link(file, store->root(), "a"), 0);
  EXPECT_EQ(store->link(file, store->root(), "a"), -EEXIST);
  EXPECT_EQ(store->link(file, make_removed_directory(), "a"), -ENOENT);
  EXPECT_EQ(store->link(make_directory("dir"), store->root(), "b"), -EPERM);
  EXPECT_EQ(store->unlink(store->root(), "a"), 0);
  EXPECT_EQ(store->unlink(store->root(), "a"), -ENOENT);
  EXPECT_EQ(store->unlink(store->root(), "dir"), -EISDIR);
  EXPECT_EQ(store->link(file, store->root(), "a"), -ENOENT) << "its last name was removed";
  EXPECT_EQ(write(file, 0, 4096, 'x'), 4096) << "it is there as long as it is held";
}

TEST_F(DirectoryStoreNames, Renamed) {
  const InodeNumber dir = make_directory("dir");
  const InodeNumber other = make_directory("other");
  const InodeNumber file = make_file("file");
  ASSERT_EQ(store->mkdir(dir, "below", 0700, &found), 0);
  const InodeNumber root = store->root();

  EXPECT_EQ(store->rename(root, "nothing", root, "x"), -ENOENT);
  EXPECT_EQ(store->rename(root, "dir", found, "x"), -EINVAL);
  EXPECT_EQ(store->rename(root, "other", root, "dir"), -ENOTEMPTY);
  EXPECT_EQ(store->rename(dir, "below", root, "dir"), -ENOTEMPTY);
  EXPECT_EQ(store->rename(root, "file", root, "dir"), -EISDIR);
  EXPECT_EQ(store->rename(root, "dir", root, "file"), -ENOTDIR);
  EXPECT_EQ(store->rename(file, "x", root, "y"), -ENOTDIR);
  EXPECT_EQ(store->rename(root, "x", file, "y"), -ENOTDIR);
  EXPECT_EQ(store->rename(root, "file", make_removed_directory(), "x"), -ENOENT);

  EXPECT_EQ(store->rename(root, "dir", root, "other"), 0);
  EXPECT_EQ(look(root, "dir"), -ENOENT);
  EXPECT_EQ(store->lookup(root, "other", &found), 0);
  EXPECT_EQ(found, dir);
  EXPECT_EQ(store->mkdir(other, "x", 0700, &found), -ENOENT) << "replaced, but held";
}

TEST_F(DirectoryStoreNames, OfExt4) {
  if (!directory.is_ext4()) GTEST_SKIP() << "no ext4 here";
  EXPECT_EQ(store->tmpfile(make_removed_directory(), 0600, &found), -EPERM);
  const InodeNumber file = make_file("0");
  const std::string first = directory / "0";
  for (int i = 1; i < 65000; ++i)
    ASSERT_EQ(::link(first.c_str(), (directory / std::to_string(i)).c_str()), 0);
  EXPECT_EQ(store->link(file, store->root(), "one more"), -EMLINK);
}

TEST_F(DirectoryStoreNames, OfADirectoryOnlyHeldElsewhere) {
  const int fd = ::open(directory.path().c_str(), O_PATH | O_CLOEXEC);
  EXPECT_EQ(store->adopt(fd, &found), 0);
  EXPECT_EQ(found, store->root());
  close(fd);
  make_file("file");
  const int file = ::open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(store->adopt(file, &found), -ENOTDIR);
  close(file);
}

TEST(DirectoryStoreOpen, SaysWhatItExpected) {
  Inline offload;
  const auto opened = DirectoryStore::open(offload, "/nowhere/at/all");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(),
            "/nowhere/at/all: expected a directory for the cache: No such file or directory");
}

TEST(DirectoryStoreOpen, FollowsTheUsersOwnLink) {
  DiskDirectory directory;
  ASSERT_EQ(mkdir((directory / "dir").c_str(), 0700), 0);
  ASSERT_EQ(symlink("dir", (directory / "link").c_str()), 0);
  Inline offload;
  EXPECT_TRUE(DirectoryStore::open(offload, directory / "link"));
}

}  // namespace
}  // namespace coldread::fuse
