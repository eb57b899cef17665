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
  std::pair<Kernel*, Task*> signalled_;
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

TEST_F(Files, DuplicatesShareTheFile) {
  run([&] {
    const int fd = install();
    EXPECT_EQ(sys_dup(kernel_, fd), 4);
    EXPECT_EQ(sys_dup(kernel_, 9), -EBADF);
    EXPECT_EQ(close_fd(kernel_, fd), 0);
    EXPECT_EQ(releases, 0);
    EXPECT_EQ(close_fd(kernel_, 4), 0);
    EXPECT_EQ(releases, 1);
    files_.rlimit = 4;
    EXPECT_EQ(install(), 3);
    EXPECT_EQ(sys_dup(kernel_, 3), -EMFILE);
    EXPECT_EQ(close_fd(kernel_, 3), 0);
    EXPECT_EQ(releases, 2) << "the failed dup kept no reference";
  });
}

TEST_F(Files, AForkedTableHoldsTheFiles) {
  run([&] {
    install();
    EXPECT_EQ(get_unused_fd_flags(kernel_, 0), 4);
    install();
    files_.rlimit = 77;
    files_struct child(kernel_);
    dup_fd(kernel_, child);
    EXPECT_EQ(child.rlimit, 77);
    EXPECT_TRUE(child.slots.at(0).file);
    EXPECT_FALSE(child.slots.at(1).used) << "what is only reserved is not inherited";
    exit_files(kernel_, files_);
    EXPECT_EQ(releases, 0);
    exit_files(kernel_, child);
    EXPECT_EQ(releases, 2);
  });
}

TEST_F(Files, CloseOnExecBelongsToTheDescriptor) {
  run([&] {
    const int fd = install();
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_SETFD, FD_CLOEXEC), 0);
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_GETFD, 0), FD_CLOEXEC);
    const int copy = sys_dup(kernel_, fd);
    EXPECT_EQ(sys_fcntl(kernel_, copy, F_GETFD, 0), 0);
    close_fd(kernel_, fd);
    EXPECT_EQ(install(), fd);
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_GETFD, 0), 0) << "a number that is used again starts anew";
    EXPECT_EQ(get_unused_fd_flags(kernel_, O_CLOEXEC), 5);
    EXPECT_TRUE(get_close_on_exec(kernel_, 5));
  });
}

TEST_F(Files, FlagsBelongToTheFile) {
  run([&] {
    const int fd = install(O_WRONLY);
    const int copy = sys_dup(kernel_, fd);
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_SETFL, O_NONBLOCK | O_RDWR), 0);
    EXPECT_EQ(sys_fcntl(kernel_, copy, F_GETFL, 0), O_WRONLY | O_NONBLOCK);
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_SETFL, O_DIRECT), -EINVAL);
    EXPECT_EQ(sys_fcntl(kernel_, fd, F_GETLK, 0), -EINVAL);
    EXPECT_EQ(sys_fcntl(kernel_, 9, F_GETFD, 0), -EBADF);
  });
}

TEST_F(Files, WhatTheVfsRefusesByItself) {
  run([&] {
    const int fd = install(O_WRONLY);
    std::byte byte{};
    EXPECT_EQ(sys_pread(kernel_, fd, {&byte, 1}, 0), -EBADF);
    EXPECT_EQ(sys_pread(kernel_, fd, {&byte, 1}, -1), -EINVAL);
    EXPECT_EQ(sys_pread(kernel_, 9, {&byte, 1}, 0), -EBADF);
    EXPECT_EQ(sys_pread(kernel_, install(), {&byte, 1}, INT64_MAX), -EINVAL);
    const FileHandle file = fget(kernel_, fd);
    file->preads = false;
    fput(kernel_, file);
    EXPECT_EQ(sys_pread(kernel_, fd, {&byte, 1}, 0), -ESPIPE);
    EXPECT_EQ(sys_fsync(kernel_, fd), -EINVAL);
    EXPECT_EQ(sys_fsync(kernel_, 9), -EBADF);
    EXPECT_EQ(sys_ftruncate(kernel_, fd, -1), -EINVAL);
    EXPECT_EQ(sys_ftruncate(kernel_, 9, 0), -EBADF);
    EXPECT_EQ(sys_fallocate(kernel_, fd, 0, 1), -ENODEV);
    EXPECT_EQ(sys_fallocate(kernel_, fd, 0, 0), -EINVAL);
    EXPECT_EQ(sys_fallocate(kernel_, install(O_RDONLY), 0, 1), -EBADF);
    EXPECT_EQ(sys_mmap(kernel_, fd, 4096, false), -EACCES);
    EXPECT_EQ(sys_mmap(kernel_, install(O_RDONLY), 4096, true), -EACCES);
    EXPECT_EQ(sys_mmap(kernel_, install(), 4096, true), -ENODEV);
    EXPECT_EQ(sys_mmap(kernel_, fd, 0, false), -EINVAL);
    EXPECT_EQ(sys_mmap(kernel_, 9, 4096, false), -EBADF);
  });
}

TEST_F(Files, ASignalInterruptsAPoll) {
  run([&] {
    const int fd = open_device();
    Task& self = *scheduler_.current();
    scheduler_.spawn(
        "other", false,
        [](void* arg) {
          auto& [kernel, task] = *static_cast<std::pair<Kernel*, Task*>*>(arg);
          signal_wake_up(*kernel, *task);
        },
        &(signalled_ = {&kernel_, &self}));
    EXPECT_EQ(sys_poll(kernel_, fd, POLLIN, kForever), -EINTR);
    EXPECT_EQ(sys_poll(kernel_, fd, POLLIN, 0), -EINTR) << "still pending";
    self.signal_pending = false;
    EXPECT_EQ(sys_poll(kernel_, fd, POLLIN, 0), 0);
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
