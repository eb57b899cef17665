// An OPEN message for a process outside the model: its numbers and its memory are asked, in the
// kernel's order, and what they refuse is the model's own error.
#include <string>
#include <vector>

#include "tests/kernelmodel/cachefiles/bound_cache.h"

namespace coldread {
namespace {

using Calls = std::vector<std::string>;

class RealProcess final : public DescriptorNumbers, public UserMemory {
 public:
  RealProcess(Kernel& kernel, bool blocks) : kernel_(kernel), blocks_(blocks) {}

  int reserve(uint32_t flags) override {
    note("reserve " + std::to_string(flags));
    return reserved;
  }
  void put_unused(int fd) override { note("put_unused " + std::to_string(fd)); }
  void install(int fd, FileHandle file) override {
    note("install " + std::to_string(fd));
    installed = file;
  }
  int write(std::span<const std::byte> from) override {
    note("write " + std::to_string(from.size()));
    if (write_result == 0) memory.assign(from.begin(), from.end());
    return write_result;
  }

  int reserved = 77;
  int write_result = 0;
  FileHandle installed;
  std::vector<std::byte> memory;
  Calls calls;

 private:
  void note(std::string call) {
    calls.push_back(std::move(call));
    if (blocks_) kernel_.scheduler.block_until({"helper", ""}, kernel_.scheduler.now() + 1);
  }

  Kernel& kernel_;
  bool blocks_;
};

// Whether the process answers at once or after a while.
class RealDaemon : public BoundCache, public testing::WithParamInterface<bool> {
 protected:
  // A cache with an OPEN that nobody has read; the device stays with the test's own process.
  void ask_for_open() {
    device_ = open_device();
    ASSERT_GT(command(device_, "dir /disk"), 0);
    ASSERT_GT(command(device_, "bind ondemand"), 0);
    int error = 0;
    volume_ = fscache_acquire_volume(kernel_, "v", "", {}, &error);
    constexpr std::string_view kKey = "object";
    cookie_ = fscache_acquire_cookie(kernel_, volume_, FSCACHE_ADV_WANT_CACHE_SIZE,
                                     std::as_bytes(std::span(kKey.data(), kKey.size())), {}, 0);
    fscache_use_cookie(kernel_, cookie_, false);
    scheduler_.wait_quiet({"settle", ""});
  }

  // What a daemon's read of the device is in the model: the file's own operation, with the
  // daemon's table.
  ssize_t daemon_reads(size_t room) {
    const FileHandle device = fget(kernel_, device_);
    files_struct table(kernel_, process_);
    scheduler_.current()->files = &table;
    UserBuffer buffer;
    buffer.size = room;
    buffer.memory = &process_;
    const ssize_t result = device->ops->read(kernel_, device, buffer);
    scheduler_.current()->files = &files_;
    fput(kernel_, device);
    return result;
  }

  RealProcess process_{kernel_, GetParam()};
  int device_ = -1;
  VolumeHandle volume_;
  CookieHandle cookie_;
};

TEST_P(RealDaemon, IsGivenTheFileInTheKernelsOrder) {
  const sim::RunEnd end = run([&] {
    ask_for_open();
    EXPECT_EQ(daemon_reads(1024), 32 + 2 + 6);
    EXPECT_EQ(process_.calls, (Calls{"reserve 1", "write 40", "install 77"}));
    uint32_t fd = 0;
    std::memcpy(&fd, process_.memory.data() + 24, sizeof(fd));
    EXPECT_EQ(fd, 77U);
    ASSERT_TRUE(process_.installed);
    EXPECT_TRUE(process_.installed->writable());
    EXPECT_GT(command(device_, "copen 0,4096"), 0);
    fput(kernel_, process_.installed);
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

TEST_P(RealDaemon, WithoutAFreeNumberTheOpenFails) {
  process_.reserved = -EMFILE;
  const sim::RunEnd end = run([&] {
    ask_for_open();
    EXPECT_EQ(daemon_reads(1024), -EMFILE);
    EXPECT_EQ(process_.calls, Calls{"reserve 1"});
    EXPECT_EQ(daemon_reads(1024), 0) << "the request was answered";
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

TEST_P(RealDaemon, WithBadMemoryTheNumberIsGivenBack) {
  process_.write_result = -EFAULT;
  const sim::RunEnd end = run([&] {
    ask_for_open();
    EXPECT_EQ(daemon_reads(1024), -EFAULT);
    EXPECT_EQ(process_.calls, (Calls{"reserve 1", "write 40", "put_unused 77"}));
    EXPECT_FALSE(process_.installed);
    EXPECT_EQ(daemon_reads(1024), 0) << "the request was answered";
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

TEST_P(RealDaemon, IsNotAskedForAMessageThatDoesNotFit) {
  const sim::RunEnd end = run([&] {
    ask_for_open();
    EXPECT_EQ(daemon_reads(39), -EMSGSIZE);
    EXPECT_EQ(process_.calls, Calls());
    EXPECT_EQ(close_fd(kernel_, device_), 0);
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

TEST_P(RealDaemon, CanBeToldThatAnOpenComesNext) {
  const sim::RunEnd end = run([&] {
    ask_for_open();
    const CachefilesHandle cache = cookie_->cache_priv->volume->cache;
    EXPECT_TRUE(cachefiles_ondemand_next_is_open(kernel_, cache));
    EXPECT_TRUE(cachefiles_ondemand_next_is_open(kernel_, cache)) << "asking takes nothing";
    EXPECT_GT(daemon_reads(1024), 0);
    EXPECT_FALSE(cachefiles_ondemand_next_is_open(kernel_, cache));
    EXPECT_GT(command(device_, "copen 0,4096"), 0);
    fput(kernel_, process_.installed);
  });
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
}

INSTANTIATE_TEST_SUITE_P(At, RealDaemon, testing::Bool(),
                         [](const auto& test) { return test.param ? "Length" : "Once"; });

}  // namespace
}  // namespace coldread
