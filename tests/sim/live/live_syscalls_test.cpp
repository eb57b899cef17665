// The play's own calls between tasks, and how answers of the kernel come back. No guest is needed.
#include "sim/live/live_syscalls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

namespace coldread::live {
namespace {

class LiveCalls : public testing::Test {
 protected:
  LiveCalls() {
    scenario_.tasks.resize(3);
    scenario_.tasks[1].process = 1;
    scenario_.tasks[2].process = 1;
    scenario_.processes = {"a", "b"};
    scenario_.barriers = {{"meet", 2}};
    scenario_.volumes.resize(1);
    scenario_.cookies.resize(1);
    quiet_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  }
  ~LiveCalls() override { close(quiet_); }

  LiveSyscalls task(size_t index) { return {scenario_, *board_, index, -1, quiet_, nullptr}; }

  scenario::Scenario scenario_;
  SharedBoard board_;
  int quiet_;
};

TEST_F(LiveCalls, AnswersAreValuesOrNegativeErrno) {
  LiveSyscalls calls = task(0);
  std::array<std::byte, 8> data{};
  EXPECT_EQ(calls.read(-1, data), -EBADF);
  EXPECT_EQ(calls.pwrite(-1, data, 0), -EBADF);
  EXPECT_EQ(calls.close(-1), -EBADF);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(calls.write(ends[1], data), 8);
  EXPECT_EQ(calls.read(ends[0], data), 8);
  EXPECT_EQ(calls.lseek(ends[0], 0, scenario::LseekWhence::set), -ESPIPE);
  EXPECT_EQ(calls.close(ends[0]), 0);
  EXPECT_EQ(calls.close(ends[1]), 0);
}

TEST_F(LiveCalls, BadMemoryFaults) {
  LiveSyscalls calls = task(0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(calls.write(ends[1], calls.bad_memory(8)), -EFAULT);
  EXPECT_EQ(write(ends[1], "12345678", 8), 8);
  EXPECT_EQ(calls.read(ends[0], calls.bad_memory(8)), -EFAULT);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(calls.bad_memory(8).data()) % 4096, 0u);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(LiveCalls, FilesTravelBetweenProcesses) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  const std::vector<Inbox> inboxes = {{-1, -1}, {ends[0], ends[1]}};
  LiveSyscalls sender = task(0);
  LiveSyscalls receiver = task(1);
  EXPECT_EQ(receiver.receive_fd(), -EBADF) << "no sockets yet";
  sender.use_inboxes(inboxes);
  receiver.use_inboxes(inboxes);
  int file[2];
  ASSERT_EQ(pipe(file), 0);
  EXPECT_EQ(sender.send_fd(999, 1), -EBADF);
  EXPECT_EQ(sender.send_fd(file[1], 1), 0);
  EXPECT_EQ(sender.send_fd(file[0], 1), 0);
  close(file[1]);
  const int64_t got = receiver.receive_fd();
  ASSERT_GE(got, 0);
  EXPECT_EQ(write(static_cast<int>(got), "x", 1), 1) << "it was kept open on its way";
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(receiver.limit_files(3), 0);
  EXPECT_EQ(receiver.receive_fd(), -EMFILE);
  setrlimit(RLIMIT_NOFILE, &limit);
  close(ends[0]);
  EXPECT_EQ(sender.send_fd(file[0], 1), -EPIPE);
  for (const int fd : {static_cast<int>(got), file[0], ends[1]}) close(fd);
}

TEST_F(LiveCalls, OtherCallsOnFiles) {
  LiveSyscalls calls = task(0);
  const int fd = memfd_create("file", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(calls.ftruncate(fd, 10), 0);
  EXPECT_EQ(calls.fallocate(fd, 0, 20), 0);
  std::array<std::byte, 30> data{};
  EXPECT_EQ(calls.pread(fd, data, 5), 15);
  EXPECT_EQ(calls.fsync(fd), 0);
  EXPECT_EQ(calls.mmap(fd, 20, PROT_READ), 0);
  EXPECT_EQ(calls.mmap(fd, 0, PROT_READ), -EINVAL);
  EXPECT_EQ(calls.fcntl(fd, scenario::FcntlCommand::getfd, 0), FD_CLOEXEC);
  const int64_t copy = calls.dup(fd);
  EXPECT_EQ(calls.fcntl(static_cast<int>(copy), scenario::FcntlCommand::setfl, O_NONBLOCK), 0);
  EXPECT_NE(calls.fcntl(fd, scenario::FcntlCommand::getfl, 0) & O_NONBLOCK, 0);
  EXPECT_EQ(calls.close(static_cast<int>(copy)), 0);
  EXPECT_EQ(calls.close(fd), 0);
}

TEST_F(LiveCalls, ADirectoryIsTheWholeProcess) {
  LiveSyscalls calls = task(0);
  const int before = open(".", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(calls.chdir("/"), 0);
  EXPECT_EQ(calls.chdir("no-such-directory"), -ENOENT);
  std::array<char, 8> name{};
  EXPECT_STREQ(getcwd(name.data(), name.size()), "/");
  EXPECT_EQ(fchdir(before), 0);
  close(before);
}

TEST_F(LiveCalls, AChildHoldsTheFilesUntilItIsEnded) {
  LiveSyscalls calls = task(0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(calls.end_child(0), -ESRCH);
  EXPECT_EQ(calls.fork(0), 0);
  close(ends[1]);
  EXPECT_EQ(calls.poll(ends[0], POLLIN, 0, false), 0) << "the child could still write";
  EXPECT_EQ(calls.end_child(0), 0);
  EXPECT_EQ(calls.poll(ends[0], POLLIN, 0, false), POLLHUP) << "all its files are closed";
  EXPECT_EQ(calls.end_child(0), -ESRCH);
  waitpid(board_->children[0].pid, nullptr, 0);
  close(ends[0]);
}

TEST_F(LiveCalls, NetfsCallsWithoutAModuleAreRefused) {
  LiveSyscalls calls = task(0);
  player::PrepareResult found;
  EXPECT_EQ(calls.acquire_volume(0), -EBADF);
  EXPECT_EQ(calls.acquire_cookie(0), -EBADF);
  EXPECT_EQ(calls.cookie_size(0), -EBADF);
  EXPECT_EQ(calls.prepare_read({0}, 0, 4096, 4096, 0, &found), -EBADF);
  player::Range range;
  EXPECT_EQ(calls.begin_operation(0, 0, true), -EBADF);
  EXPECT_EQ(calls.query_occupancy({-1, 0}, {0, 4096}, 1, &range), -EBADF);
}

TEST_F(LiveCalls, PollGivesTheMask) {
  LiveSyscalls calls = task(0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_EQ(calls.poll(ends[0], POLLIN, 0, false), 0);
  EXPECT_EQ(calls.poll(ends[1], POLLIN | POLLOUT, -1, false), POLLOUT);
  close(ends[0]);
  close(ends[1]);
}

TEST_F(LiveCalls, ServingPollEndsWhenItIsQuietButEventsComeFirst) {
  LiveSyscalls calls = task(0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  eventfd_write(quiet_, 1);
  EXPECT_EQ(calls.poll(ends[0], POLLIN, -1, true), 0);
  ASSERT_EQ(write(ends[1], "x", 1), 1);
  eventfd_write(quiet_, 1);
  EXPECT_EQ(calls.poll(ends[0], POLLIN, -1, true), POLLIN);
  EXPECT_EQ(calls.poll(quiet_, POLLIN, 0, false), 0) << "the call takes the permission along";
  close(ends[0]);
  close(ends[1]);
}

TEST_F(LiveCalls, SettleWaitsForThePermission) {
  LiveSyscalls calls = task(0);
  std::thread settling([&] { calls.settle(); });
  board_->wait_until([&] { return board_->tasks[0].state == TaskState::settling; });
  ++board_->tasks[0].settled;
  board_->changed();
  settling.join();
  EXPECT_EQ(board_->tasks[0].state, TaskState::running);
}

TEST_F(LiveCalls, BarrierIsMetAgainAndAgain) {
  LiveSyscalls first = task(0);
  LiveSyscalls second = task(1);
  std::atomic<int> came = 0;
  int early = 0;
  const auto meet = [&](LiveSyscalls& calls, int* too_early) {
    for (int i = 0; i < 100; ++i) {
      ++came;
      calls.barrier(0);
      *too_early += came < 2 * (i + 1);
    }
  };
  int other_early = 0;
  std::thread other([&] { meet(second, &other_early); });
  meet(first, &early);
  other.join();
  EXPECT_EQ(early + other_early, 0) << "somebody did not wait for the other";
  EXPECT_EQ(board_->arrivals[0], 200u);
}

TEST_F(LiveCalls, SetupTurnsComeInOrder) {
  LiveSyscalls first = task(0);
  LiveSyscalls second = task(1);
  std::vector<int> order;
  std::thread other([&] {
    second.await_setup_turn(1);
    order.push_back(1);
    second.end_setup_turn(1);
  });
  first.await_setup_turn(0);
  order.push_back(0);
  first.end_setup_turn(0);
  first.await_setup_turn(2);
  other.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1}));
}

TEST_F(LiveCalls, NobodyIsLeftToKill) {
  LiveSyscalls calls = task(0);
  EXPECT_EQ(calls.kill(1), -ESRCH) << "no such process";
  board_->pids[1] = getpid();
  board_->tasks[1].state = TaskState::ended;
  board_->tasks[2].state = TaskState::ended;
  EXPECT_EQ(calls.kill(1), -ESRCH) << "all its tasks have ended";
}

TEST_F(LiveCalls, EveryCallCountsAsProgressAndIsPrecededByACheckpoint) {
  int checkpoints = 0;
  LiveSyscalls calls(scenario_, *board_, 0, -1, quiet_, [&] { ++checkpoints; });
  const uint64_t before = board_->progress;
  calls.close(-1);
  EXPECT_GT(board_->progress, before);
  EXPECT_EQ(checkpoints, 1);
  EXPECT_EQ(calls.next_sequence(), 0u);
  EXPECT_EQ(calls.next_sequence(), 1u);
}

}  // namespace
}  // namespace coldread::live
