// Descriptor tables and open files, on which the anonymous fd depends.
#include <poll.h>

#include "tests/kernelmodel/cachefiles/bound_cache.h"

namespace coldread {
namespace {

int releases = 0;

const FileOperations kCounting = {
    .name = "counting",
    .release = [](Kernel&, FileHandle) { return ++releases; },
    .read = nullptr,
    .write = nullptr,
    .write_iter = nullptr,
    .llseek = nullptr,
    .ioctl = nullptr,
    .poll = nullptr,
    .poll_queue = nullptr,
};

class Files : public BoundCache {
 protected:
  Files() { releases = 0; }
  int install(uint32_t flags = O_RDWR) {
    const int fd = get_unused_fd_flags(kernel_, 0);
    if (fd >= 0) fd_install(kernel_, fd, alloc_file(kernel_, kCounting, flags));
    return fd;
  }
};

TEST_F(Files, TheLowestNumberIsTakenFirst) {
  run([&] {
    EXPECT_EQ(install(), 3);
    EXPECT_EQ(install(), 4);
    EXPECT_EQ(close_fd(kernel_, 3), 0);
    EXPECT_EQ(install(), 3);
    EXPECT_EQ(close_fd(kernel_, 9), -EBADF);
    EXPECT_EQ(close_fd(kernel_, 2), -EBADF);
  });
}

TEST_F(Files, AReservedNumberIsTakenButNotOpen) {
  run([&] {
    EXPECT_EQ(get_unused_fd_flags(kernel_, 0), 3);
    EXPECT_EQ(install(), 4);
    EXPECT_FALSE(fget(kernel_, 3));
    EXPECT_EQ(close_fd(kernel_, 3), -EBADF);
    put_unused_fd(kernel_, 3);
    EXPECT_EQ(install(), 3);
  });
}

TEST_F(Files, TheLimitIsKept) {
  files_.rlimit = 5;
  run([&] {
    EXPECT_EQ(install(), 3);
    EXPECT_EQ(install(), 4);
    EXPECT_EQ(install(), -EMFILE);
  });
}

TEST_F(Files, TheLastReferenceReleases) {
  run([&] {
    const int fd = install();
    const FileHandle file = fget(kernel_, fd);
    EXPECT_EQ(close_fd(kernel_, fd), 0);
    EXPECT_EQ(releases, 0);
    fput(kernel_, file);
    EXPECT_EQ(releases, 1);
  });
  EXPECT_EQ(kernel_.files.live(), 0u);
}

TEST_F(Files, ExitClosesAll) {
  run([&] {
    install();
    install();
    exit_files(kernel_, files_);
    EXPECT_EQ(releases, 2);
  });
}

TEST_F(Files, WhatAFileCannotDo) {
  run([&] {
    const int fd = install(O_WRONLY);
    std::byte byte{};
    EXPECT_EQ(sys_read(kernel_, fd, {&byte, 1}), -EBADF);
    EXPECT_EQ(sys_write(kernel_, fd, {&byte, 1}), -EINVAL);
    EXPECT_EQ(sys_pwrite(kernel_, fd, {&byte, 1}, -1), -EINVAL);
    EXPECT_EQ(sys_lseek(kernel_, fd, 0, 0), -ESPIPE);
    EXPECT_EQ(sys_ioctl(kernel_, fd, 1, 2), -ENOTTY);
    EXPECT_EQ(sys_poll(kernel_, fd, POLLIN, kForever), POLLIN);
    EXPECT_EQ(sys_poll(kernel_, 77, POLLIN, 0), POLLNVAL);
    const int read_only = install(O_RDONLY);
    EXPECT_EQ(sys_write(kernel_, read_only, {&byte, 1}), -EBADF);
  });
}

TEST_F(Files, PollTimesOutOnTheVirtualClock) {
  run([&] {
    const int fd = open_device();
    EXPECT_EQ(sys_poll(kernel_, fd, POLLIN, scheduler_.now() + 5 * kNsPerMs), 0);
    EXPECT_EQ(scheduler_.now(), 5 * kNsPerMs);
  });
}

}  // namespace
}  // namespace coldread
