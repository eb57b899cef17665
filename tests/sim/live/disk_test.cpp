// A cache's directory as a transcript shows it.
#include "sim/live/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;

class Disk : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(volume_ / "@00");
    fs::create_directories(volume_ / "@dd");
    fs::create_directories(directory_.path() / "graveyard");
    chmod(volume_.c_str(), 0700);
  }

  nlohmann::json describe() const {
    const auto disk = describe_disk(directory_.path());
    EXPECT_TRUE(disk) << disk.error();
    return disk ? *disk : nlohmann::json();
  }

  TemporaryDirectory directory_;
  fs::path volume_ = directory_.path() / "cache" / "Ierofs,x";
};

TEST_F(Disk, NothingBoundIsEmpty) {
  TemporaryDirectory empty;
  const auto disk = describe_disk(empty.path());
  ASSERT_TRUE(disk);
  EXPECT_EQ(disk->dump(), "{}");
}

TEST_F(Disk, VolumeCountsItsFanOut) {
  EXPECT_EQ(describe().dump(),
            R"({"cache/Ierofs,x":{"fanout":2,"mode":"0700","type":"directory","xattr":null},)"
            R"("graveyard":{"entries":0}})");
}

TEST_F(Disk, ObjectHasModeSizeAndData) {
  const fs::path path = volume_ / "@dd" / "Dblob";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  const std::string page(4096, 'x');
  ASSERT_EQ(pwrite(fd, page.data(), page.size(), 65536), 4096);
  ASSERT_EQ(ftruncate(fd, 262144), 0);
  close(fd);
  const nlohmann::json object = describe()["cache/Ierofs,x/@dd/Dblob"];
  EXPECT_EQ(object["type"], "file");
  EXPECT_EQ(object["mode"], "0600");
  EXPECT_EQ(object["size"], 262144);
  // Extents are the file system's; whichever they are, the page lies in them.
  ASSERT_FALSE(object["data"].empty());
  EXPECT_LE(object["data"][0][0], 65536);
  EXPECT_GE(object["data"].back()[1], 69632);
}

TEST_F(Disk, XattrInHex) {
  const char value[] = {0, 1, char(0xfe), 10};
  if (setxattr(volume_.c_str(), "user.CacheFiles.cache", value, sizeof value, 0) < 0) {
    GTEST_SKIP() << "this file system has no user xattrs";
  }
  EXPECT_EQ(describe()["cache/Ierofs,x"]["xattr"], "0001fe0a");
}

TEST_F(Disk, GraveyardIsOnlyCounted) {
  fs::create_directory(directory_.path() / "graveyard" / "6a00000000000001");
  fs::create_directory(directory_.path() / "graveyard" / "6a00000000000002");
  EXPECT_EQ(describe()["graveyard"]["entries"], 2);
}

TEST_F(Disk, StrangeThingsAreShownAsWhatTheyAre) {
  fs::create_symlink("nowhere", volume_ / "@dd" / "Dlink");
  directory_.write("cache/stray", "x");
  directory_.write("cache/Ierofs,x/stray", "x");
  directory_.write("cache/Ierofs,x/@ff", "x");
  fs::create_directories(volume_ / "@00" / "Ddir");
  directory_.write("cache/Ierofs,x/@00/Ddir/stray", "x");
  fs::create_directory_symlink("/", volume_ / "@00" / "Droot");
  const nlohmann::json disk = describe();
  EXPECT_EQ(disk["cache/Ierofs,x/@dd/Dlink"]["type"], "other");
  EXPECT_EQ(disk["cache/stray"]["type"], "file");
  EXPECT_EQ(disk["cache/Ierofs,x/stray"]["type"], "file");
  EXPECT_EQ(disk["cache/Ierofs,x/@ff"]["type"], "file");
  EXPECT_EQ(disk["cache/Ierofs,x/@00/Ddir"]["type"], "directory");
  EXPECT_EQ(disk["cache/Ierofs,x/@00/Ddir/stray"]["type"], "file");
  EXPECT_EQ(disk["cache/Ierofs,x/@00/Droot"]["type"], "other");
  EXPECT_EQ(disk.size(), 9u);
  EXPECT_EQ(disk["cache/Ierofs,x"]["fanout"], 2);
}

}  // namespace
}  // namespace coldread::live
