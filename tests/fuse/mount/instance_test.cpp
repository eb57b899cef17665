// The mount over a cache in a real directory, where calls on the disk really wait.
#include "fuse/mount/instance.h"

#include <cstring>

#include "tests/fuse/mount/mounted.h"

namespace coldread::fuse {
namespace {

namespace fs = std::filesystem;

class InstanceTest : public testing::Test {
 protected:
  void SetUp() override {
    const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) GTEST_SKIP() << "/dev/fuse cannot be opened: " << std::strerror(errno);
    close(fuse);
    alarm(kTimeLimit);
    for (const char* name : {"cache", "mount"}) fs::create_directory(directory_.path() / name);
    InstanceOptions options;
    options.profile = *find_profile(kDefaultProfile);
    options.cache = directory_.path() / "cache";
    options.mountpoint = mountpoint_;
    auto started = Instance::start(std::move(options));
    ASSERT_TRUE(started) << started.error();
    instance_ = std::move(*started);
  }
  void TearDown() override {
    instance_.reset();
    alarm(0);
  }

  live::TemporaryDirectory directory_;
  const std::string mountpoint_ = directory_.path() / "mount";
  std::unique_ptr<Instance> instance_;
};

TEST_F(InstanceTest, OpenWaitsForTheCloseBeforeIt) {
  const std::string cache = directory_.path() / "cache";
  for (int i = 0; i < 10; i++) {
    Daemon daemon(mountpoint_);  // fails if the device is busy
    EXPECT_GT(daemon.say("dir " + cache), 0);
    ASSERT_GT(daemon.say("bind ondemand"), 0);
    const std::string volume = mountpoint_ + "/volumes/v" + std::to_string(i);
    ASSERT_EQ(mkdir(volume.c_str(), 0755), 0);
    std::thread serving([&] { daemon.answer_open(daemon.wait_for_message(), 4096); });
    const int fd = open((volume + "/c").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0);
    serving.join();
    close(fd);
    daemon.close();  // the volume has 257 directories to be let go of
  }
}

TEST_F(InstanceTest, ADaemonCullsInItsWorkingDirectory) {
  const fs::path cache = directory_.path() / "cache";
  Daemon daemon(mountpoint_);
  EXPECT_GT(daemon.say("dir " + cache.string()), 0);
  ASSERT_GT(daemon.say("bind ondemand"), 0);
  std::ofstream(cache / "cache" / "stray") << "x";
  const fs::path before = fs::current_path();
  fs::current_path(cache / "cache");
  EXPECT_GT(daemon.say("inuse stray"), 0);
  EXPECT_GT(daemon.say("cull stray"), 0);
  fs::current_path(before);
  EXPECT_FALSE(fs::exists(cache / "cache" / "stray"));
}

}  // namespace
}  // namespace coldread::fuse
