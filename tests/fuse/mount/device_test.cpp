// dev/cachefiles and dev/anon as a daemon sees them through the mount.
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>

#include "tests/fuse/mount/mounted.h"

namespace coldread::fuse {
namespace {

class DeviceTest : public Mounted {
 protected:
  // A reader of volumes/v/`name` that opens the file and reads the first byte.
  std::thread read_first_byte(const std::string& name, int* result = nullptr) {
    return std::thread([path = at("volumes/v/" + name), result] {
      const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
      char byte = 0;
      const int got = fd < 0 || read(fd, &byte, 1) < 0 ? -errno : 0;
      if (result != nullptr) *result = got;
      if (fd >= 0) close(fd);
    });
  }
};

TEST_F(DeviceTest, OnlyOneAtATimeMayHaveIt) {
  Daemon daemon(mountpoint_);
  EXPECT_EQ(open(at("dev/cachefiles").c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, EBUSY);
  daemon.close();
  for (int i = 0; i < 200; i++) {
    const int fd = open(at("dev/cachefiles").c_str(), O_RDWR);
    ASSERT_GE(fd, 0) << "opened at once after it was closed, round " << i;
    close(fd);
  }
}

TEST_F(DeviceTest, CommandsAnswerAsTheKernels) {
  Daemon daemon(mountpoint_);
  EXPECT_EQ(daemon.say("hello"), -EOPNOTSUPP);
  EXPECT_EQ(daemon.say("bind"), -EINVAL);
  EXPECT_EQ(daemon.say("dir /nowhere"), 12);
  EXPECT_EQ(daemon.say("bind ondemand"), -ENOENT);
  EXPECT_EQ(daemon.say("dir /cache"), -EEXIST);
  EXPECT_EQ(daemon.say(std::string(4096, 'x')), -EOPNOTSUPP);
}

TEST_F(DeviceTest, ItIsReleasedWithItsLastCopy) {
  int fd = open(at("dev/cachefiles").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  const int copy = dup(fd);
  close(fd);
  EXPECT_EQ(open(at("dev/cachefiles").c_str(), O_RDWR), -1);
  int gate[2];
  ASSERT_EQ(pipe(gate), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    close(gate[1]);
    _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(gate[0]);
  close(copy);
  EXPECT_EQ(open(at("dev/cachefiles").c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, EBUSY);
  close(gate[1]);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  fd = open(at("dev/cachefiles").c_str(), O_RDWR);
  EXPECT_GE(fd, 0) << "the child's copy was the last";
  close(fd);
}

TEST_F(DeviceTest, AnOpenHasNoFdButAFileOfItsOwn) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  EXPECT_EQ(open(at("dev/anon/1").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, ENOENT);
  std::thread reader = read_first_byte("c");
  const std::string bytes = daemon.wait_for_bytes();
  // msg_id, opcode, len, object_id; volume_key_size, cookie_key_size, fd, flags; keys.
  constexpr uint32_t kHeader[] = {0, 0, 35, 1, 2, 1, UINT32_MAX, 0};
  std::string expected(reinterpret_cast<const char*>(kHeader), sizeof(kHeader));
  expected += std::string("v\0c", 3);
  EXPECT_EQ(bytes, expected);
  EXPECT_EQ(open(at("dev/anon/1").c_str(), O_RDWR), -1);
  EXPECT_EQ(errno, EACCES);
  daemon.open_object(1);
  EXPECT_GT(daemon.say("copen 0,0"), 0);
  reader.join();
}

TEST_F(DeviceTest, ReadAndCloseAreTheKernelsBytes) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread reader = read_first_byte("c");
  daemon.answer_open(daemon.wait_for_message(), 4096);
  const std::string read = daemon.wait_for_bytes();
  // msg_id, opcode, len, object_id; off and len as 64 bits each.
  constexpr uint32_t kRead[] = {1, 2, 32, 1, 0, 0, 4096, 0};
  EXPECT_EQ(read, std::string(reinterpret_cast<const char*>(kRead), sizeof(kRead)));
  daemon.answer_read(*player::decode_message(std::as_bytes(std::span(read))));
  reader.join();
  ASSERT_EQ(rmdir(at("volumes/v").c_str()), 0);
  const std::string close = daemon.wait_for_bytes();
  constexpr uint32_t kClose[] = {2, 1, 16, 1};
  EXPECT_EQ(close, std::string(reinterpret_cast<const char*>(kClose), sizeof(kClose)));
}

TEST_F(DeviceTest, TheAnonymousFileWritesSeeksAndCompletes) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  int result = -1;
  std::thread reader = read_first_byte("c", &result);
  daemon.answer_open(daemon.wait_for_message(), 4 << 20);
  const player::Message read = daemon.wait_for_message();
  ASSERT_EQ(read.opcode, player::kOpRead);
  const int object = daemon.object(read.object_id);
  EXPECT_EQ(lseek(object, 0, SEEK_DATA), -1);
  EXPECT_EQ(errno, ENXIO);
  // From memory that does not begin with a page: more than one request of FUSE's.
  const std::string data = "x" + contents(0, 3 << 20);
  EXPECT_EQ(pwrite(object, data.data() + 1, 3 << 20, 0), 3 << 20);
  EXPECT_EQ(lseek(object, 0, SEEK_DATA), 0);
  EXPECT_EQ(lseek(object, 0, SEEK_HOLE), 3 << 20);
  EXPECT_EQ(pwrite(object, data.data(), 100, 1), -1);
  EXPECT_EQ(errno, ENOBUFS);
  EXPECT_EQ(ftruncate(object, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(ioctl(object, kReadCompleteByValue, read.msg_id + 7), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(ioctl(object, 0x1234, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  // The kernel's own number: by pointer.
  uint32_t id = read.msg_id;
  EXPECT_EQ(ioctl(object, CACHEFILES_IOC_READ_COMPLETE, &id), 0);
  reader.join();
  EXPECT_EQ(result, 0);
}

TEST_F(DeviceTest, PollAndEpollTellOfMessages) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  pollfd wanted{daemon.device(), POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&wanted, 1, 0), 0);
  const int level = epoll_create1(0), edge = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  ASSERT_EQ(epoll_ctl(level, EPOLL_CTL_ADD, daemon.device(), &event), 0);
  event.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(epoll_ctl(edge, EPOLL_CTL_ADD, daemon.device(), &event), 0);
  EXPECT_EQ(epoll_wait(level, &event, 1, 0), 0);
  EXPECT_EQ(epoll_wait(edge, &event, 1, 0), 0);

  std::thread a = read_first_byte("a");
  EXPECT_EQ(epoll_wait(edge, &event, 1, -1), 1);
  EXPECT_EQ(epoll_wait(level, &event, 1, -1), 1);
  EXPECT_EQ(epoll_wait(level, &event, 1, -1), 1) << "as long as it is unread";
  EXPECT_EQ(poll(&wanted, 1, -1), 1);
  EXPECT_EQ(wanted.revents, POLLIN);
  EXPECT_EQ(epoll_wait(edge, &event, 1, 0), 0) << "once for each message";
  std::thread b = read_first_byte("b");
  EXPECT_EQ(epoll_wait(edge, &event, 1, -1), 1) << "a second one, with the first unread";

  daemon.answer_open(daemon.wait_for_message(), 0);
  daemon.answer_open(daemon.wait_for_message(), 0);
  EXPECT_EQ(epoll_wait(level, &event, 1, 0), 0);
  a.join();
  b.join();
  close(level);
  close(edge);
}

TEST_F(DeviceTest, AMessageThatDoesNotFitStays) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread reader = read_first_byte("c");
  pollfd wanted{daemon.device(), POLLIN, 0};
  ASSERT_EQ(poll(&wanted, 1, -1), 1);
  char small[16];
  EXPECT_EQ(read(daemon.device(), small, sizeof(small)), -1);
  EXPECT_EQ(errno, EMSGSIZE);
  daemon.answer_open(daemon.wait_for_message(), 0);
  reader.join();
}

TEST_F(DeviceTest, AClosedAnonymousFileIsGoneAndTheObjectReopened) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread reader = read_first_byte("c");
  player::Message open_message = daemon.wait_for_message();
  daemon.answer_open(open_message, 4096);
  const player::Message read = daemon.wait_for_message();
  daemon.answer_close(open_message);  // without having answered
  EXPECT_EQ(access(at("dev/anon/1").c_str(), F_OK), -1);
  ASSERT_GT(daemon.say("restore"), 0);
  open_message = daemon.wait_for_message();
  EXPECT_EQ(open_message.opcode, player::kOpOpen);
  EXPECT_EQ(open_message.object_id, 2u);
  daemon.answer_open(open_message, 4096);
  const player::Message again = daemon.wait_for_message();
  EXPECT_EQ(again.msg_id, read.msg_id);
  daemon.answer_read(again);
  reader.join();
}

TEST_F(DeviceTest, WhatADaemonNeverOpenedGoesWithIt) {
  {
    Daemon daemon(mountpoint_);
    daemon.bind();
    ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
    std::thread reader = read_first_byte("c");
    EXPECT_EQ(daemon.wait_for_message().opcode, player::kOpOpen);
    daemon.close();
    reader.join();
  }
  const int fd = open(at("dev/cachefiles").c_str(), O_RDWR);
  EXPECT_GE(fd, 0) << "nothing holds the dead cache";
  close(fd);
}

}  // namespace
}  // namespace coldread::fuse
