// What is made of the texts in /proc and /sys.
#include "sim/live/proc_state.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace coldread::live {
namespace {

TEST(StatLine, NameMayHoldBlanksAndParentheses) {
  const auto stat = parse_stat_line("731 (a) R (b)) D 2 0 0 0 -1 2129984 0 0");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->name, "a) R (b)");
  EXPECT_EQ(stat->state, 'D');
  EXPECT_EQ(stat->parent, 2);
}

TEST(StatLine, CountsThreads) {
  const auto stat = parse_stat_line("7 (a) S 2 0 0 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 6 0 99");
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->threads, 6);
}

TEST(StatLine, RefusesWhatIsNone) {
  EXPECT_FALSE(parse_stat_line(""));
  EXPECT_FALSE(parse_stat_line("12 no name S 1"));
  EXPECT_FALSE(parse_stat_line("12 )x( S 1"));
  EXPECT_FALSE(parse_stat_line("12 (cut) S"));
}

TEST(Inflight, CountsReadsAndWrites) {
  EXPECT_EQ(parse_inflight("       1        2\n"), 3u);
  EXPECT_EQ(parse_inflight("0 0"), 0u);
  EXPECT_FALSE(parse_inflight("7"));
  EXPECT_FALSE(parse_inflight(""));
}

TEST(Stack, KeepsWhatLiesBetweenSchedulerAndSystemCall) {
  EXPECT_EQ(parse_stack("[<0>] __switch_to+0x3e/0x6d\n[<0>] __schedule+0x467/0x4a4\n"
                        "[<0>] schedule+0x3c/0x64\n[<0>] wait_for_completion+0x1/0x2\n"
                        "[<0>] schedule+0x1/0x2\n[<0>] vfs_read+0x93/0xe1\n"
                        "[<0>] handle_syscall+0x79/0xa7\n[<0>] userspace+0x4c2/0x4f4\n"),
            "wait_for_completion < schedule < vfs_read");
}

TEST(Stack, StopsWhereAWorkerBegins) {
  EXPECT_EQ(parse_stack("[<0>] a+0x1/0x2\n[<0>] worker_thread+0x1/0x2\n[<0>] kthread+0x1/0x2\n"),
            "a");
  EXPECT_EQ(parse_stack("Permission denied"), "");
}

TEST(ThreadState, OfLivingAndGoneThreads) {
  const auto tid = static_cast<pid_t>(syscall(SYS_gettid));
  EXPECT_EQ(thread_state(getpid(), tid), 'R');
  pid_t other = 0;
  std::thread([&] { other = static_cast<pid_t>(syscall(SYS_gettid)); }).join();
  while (thread_state(getpid(), other) != 'X') std::this_thread::yield();  // joined, nearly gone
}

TEST(ThreadStates, FollowAProcess) {
  ThreadStates states;
  const pid_t sleeper = fork();
  if (sleeper == 0) {
    pause();
    _exit(0);
  }
  while (!states.all_sleep(sleeper)) std::this_thread::yield();
  EXPECT_EQ(states.of(sleeper, sleeper), 'S');
  kill(sleeper, SIGSTOP);
  while (states.of(sleeper, sleeper) != 'T') std::this_thread::yield();
  EXPECT_FALSE(states.all_sleep(sleeper));
  kill(sleeper, SIGKILL);
  waitpid(sleeper, nullptr, 0);
  EXPECT_EQ(states.of(sleeper, sleeper), 'X');
  EXPECT_TRUE(states.all_sleep(sleeper)) << "it has none";
}

TEST(ThreadStates, SeeThreadsThatBeganLater) {
  ThreadStates states;
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const pid_t process = fork();
  if (process == 0) {
    char byte = 0;
    std::thread first([] { pause(); });
    if (read(go[0], &byte, 1) != 1) _exit(1);
    for (std::atomic<unsigned> i = 0;; ++i) {
    }
  }
  while (!states.all_sleep(process)) std::this_thread::yield();
  ASSERT_EQ(write(go[1], "x", 1), 1);
  while (states.all_sleep(process)) std::this_thread::yield();
  EXPECT_EQ(states.of(process, process), 'R');
  kill(process, SIGKILL);
  waitpid(process, nullptr, 0);
  close(go[0]);
  close(go[1]);
}

}  // namespace
}  // namespace coldread::live
