// A served mount in a temporary directory, and a daemon that uses it as any client does.
//
// A machine without FUSE skips. Every test has a time limit: when it is over the mount is taken
// away and the program aborted.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <future>
#include <memory>
#include <thread>

#include "fuse/mount/server.h"
#include "sim/player/message.h"
#include "sim/store/memory_store.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::fuse {

inline constexpr unsigned kTimeLimit = 30;  // seconds for one test

class Mounted : public testing::Test {
 protected:
  void SetUp() override {
    const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) GTEST_SKIP() << "/dev/fuse cannot be opened: " << std::strerror(errno);
    close(fuse);
    mountpoint_ = directory_.path() / "mount";
    std::filesystem::create_directory(mountpoint_);
    limit_time();
    start();
  }

  void TearDown() override {
    stop();
    alarm(0);
  }

  void start() {
    store_ = std::make_unique<sim::MemoryStore>();
    store_->make_directory("/cache");
    host_ = std::make_unique<Host>();
    log_ = std::make_unique<KernelLog>(
        host_->scheduler(), [this](std::string_view line) { (printed_ += line) += '\n'; });
    kernel_ = std::make_unique<Kernel>(host_->scheduler(), *store_, *log_, *log_, profile_);
    server_ = std::make_unique<Server>(*host_, *kernel_, *log_);
    const Status status = server_->start(mountpoint_, [this] { ended_ = true; });
    ASSERT_TRUE(status) << status.error();
  }

  void stop() {
    if (server_ != nullptr) {
      server_->stop();
      EXPECT_EQ(server_->broken(), "");
    }
    server_.reset();
    kernel_.reset();
    log_.reset();
    host_.reset();
    store_.reset();
  }

  void limit_time() {
    static std::string victim;
    victim = mountpoint_;
    std::signal(SIGALRM, [](int) {
      umount2(victim.c_str(), MNT_FORCE);  // or threads that wait for us never end
      umount2(victim.c_str(), MNT_DETACH);
      constexpr char kText[] = "the test took too long\n";
      [[maybe_unused]] const ssize_t written = write(2, kText, sizeof(kText) - 1);
      std::abort();
    });
    alarm(kTimeLimit);
  }

  std::string at(const std::string& name) const { return mountpoint_ + "/" + name; }

  Profile profile_ = *find_profile("6.12.117");  // of the next start()
  live::TemporaryDirectory directory_;
  std::string mountpoint_;
  std::unique_ptr<sim::MemoryStore> store_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<KernelLog> log_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Server> server_;
  std::atomic<bool> ended_{false};
  std::string printed_;  // the kernel's log: to be looked at when the server has stopped
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a byte of an object is.
inline std::string contents(uint64_t from, uint64_t length) {
  std::string result(length, '\0');
  for (uint64_t i = 0; i < length; i++)
    result[i] = static_cast<char>((from + i) * 31 + ((from + i) >> 12));
  return result;
}

// A cooperative daemon: uses the mount's files and nothing else.
class Daemon {
 public:
  explicit Daemon(std::string mountpoint) : mountpoint_(std::move(mountpoint)) {
    device_ = open((mountpoint_ + "/dev/cachefiles").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_GE(device_, 0) << std::strerror(errno);
  }
  ~Daemon() { close(); }

  void close() {
    for (const auto& [id, fd] : objects_) ::close(fd);
    objects_.clear();
    if (device_ >= 0) ::close(std::exchange(device_, -1));
  }

  int device() const { return device_; }
  int object(uint32_t id) const { return objects_.at(id); }

  int64_t say(const std::string& command) {
    const ssize_t ret = ::write(device_, command.data(), command.size());
    return ret < 0 ? -errno : ret;
  }
  void bind() {
    EXPECT_GT(say("dir /cache"), 0);
    EXPECT_GT(say("bind ondemand"), 0);
  }

  // The next message, as bytes; waits for it.
  std::string wait_for_bytes() {
    while (true) {
      pollfd wanted{device_, POLLIN, 0};
      if (poll(&wanted, 1, -1) < 0) return {};
      char buffer[1024];
      const ssize_t got = ::read(device_, buffer, sizeof(buffer));
      if (got != 0) return {buffer, static_cast<size_t>(std::max<ssize_t>(got, 0))};
    }
  }
  player::Message wait_for_message() {
    const std::string bytes = wait_for_bytes();
    auto message = player::decode_message(std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(message) << bytes.size() << " bytes";
    return message ? *message : player::Message();
  }

  void answer_open(const player::Message& message, int64_t size) {
    open_object(message.object_id);
    EXPECT_GT(say("copen " + std::to_string(message.msg_id) + "," + std::to_string(size)), 0);
  }
  void open_object(uint32_t id) {
    objects_[id] =
        open((mountpoint_ + "/dev/anon/" + std::to_string(id)).c_str(), O_WRONLY | O_CLOEXEC);
    EXPECT_GE(objects_[id], 0) << std::strerror(errno);
  }
  void answer_read(const player::Message& message) {
    const std::string data = contents(message.off, message.length);
    EXPECT_EQ(pwrite(objects_.at(message.object_id), data.data(), data.size(),
                     static_cast<off_t>(message.off)),
              static_cast<ssize_t>(data.size()))
        << std::strerror(errno);
    EXPECT_EQ(complete(message), 0);
  }
  int complete(const player::Message& message) {
    return ioctl(objects_.at(message.object_id), kReadCompleteByValue, message.msg_id) < 0 ? -errno
                                                                                           : 0;
  }
  void answer_close(const player::Message& message) {
    ::close(objects_.at(message.object_id));
    objects_.erase(message.object_id);
  }

  // Answers all OPEN with `size`, READ with contents() and CLOSE, until `stop` is true; `stop` is
  // looked at after every message.
  void serve(int64_t size, const std::function<bool(const player::Message&)>& stop) {
    while (true) {
      const player::Message message = wait_for_message();
      if (message.opcode == player::kOpOpen) answer_open(message, size);
      if (message.opcode == player::kOpRead) answer_read(message);
      if (message.opcode == player::kOpClose) answer_close(message);
      if (stop(message)) return;
    }
  }

 private:
  std::string mountpoint_;
  int device_ = -1;
  std::map<uint32_t, int> objects_;
};

}  // namespace coldread::fuse
