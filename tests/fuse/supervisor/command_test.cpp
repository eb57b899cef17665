// A command's status, its children, its signals, and what happens to all when the supervisor dies.
#include "fuse/supervisor/command.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "fuse/supervisor/filter.h"
#include "fuse/supervisor/supervisor.h"
#include "tests/fuse/supervisor/supervised.h"

namespace coldread::fuse {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class Commands : public Supervised {};

TEST_F(Commands, TheStatusIsAShells) {
  EXPECT_EQ(run_shell("exit 0").status, 0);
  EXPECT_EQ(run_shell("exit 7").status, 7);
  // Through `timeout`, which has its own way: the shell is killed inside.
  EXPECT_EQ(run_shell("bash -c 'kill -KILL $$'; exit $?").status, 137);
}

TEST_F(Commands, WhatTheCommandLeavesBehindIsWaitedFor) {
  const ProgramResult result =
      run_shell("(trap '' HUP; while [ ! -e " + (directory_ / "go").string() +
                " ]; do sleep 0.01; done; echo late) & (sleep 0.05; touch " +
                (directory_ / "go").string() + ") & echo early; exit 3");
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "early\nlate\n");
}

class Direct : public Supervised {
 protected:
  Result<Command> start(const std::vector<std::string>& words) {
    const Result<std::vector<sock_filter>> filter = make_filter(range_);
    EXPECT_TRUE(filter.ok());
    return Command::start(words, *filter, signals_);
  }
  int wait(const Command& command) {
    Supervisor supervisor(command.listener(), range_, *service_);
    supervisor.receive_alone();
    return command.wait(signals_);
  }
  KeptSignals signals_;
  WatchedRange range_ = watched_range(1024);
};

TEST_F(Direct, AProgramThatIsNotThereIs127) {
  const Result<Command> command = start({"/nowhere/program"});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->exec_error(), ENOENT);
  EXPECT_EQ(wait(*command), 127);
}

TEST_F(Direct, AProgramThatCannotBeExecutedIs126) {
  const Result<Command> command = start({"/dev"});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(command->exec_error(), EACCES);
  EXPECT_EQ(wait(*command), 126);
}

TEST_F(Direct, ASignalThatKillsIs128AndIt) {
  const Result<Command> command = start({"bash", "-c", "kill -KILL $$"});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(wait(*command), 128 + SIGKILL);
}

TEST_F(Direct, ASignalIsPassedOn) {
  const Result<Command> command =
      start({"bash", "-c", "trap 'exit 9' TERM; for i in {1..2000}; do sleep 0.01; done"});
  ASSERT_TRUE(command.ok());
  kill(getpid(), SIGTERM);
  // Or it was not that far yet.
  const int status = wait(*command);
  EXPECT_TRUE(status == 9 || status == 128 + SIGTERM) << status;
}

// The supervisor is a process that is killed; its program, which ignores the SIGTERM that it gets,
// tells what its calls return from then on.
TEST_F(Direct, WhenTheSupervisorDiesCallsFail) {
  const std::string out = directory_ / "after";
  const std::string ready = directory_ / "ready";
  const std::string script = "trap '' TERM; exec 3<>/dev/cachefiles; echo > " + ready +
                             "; read -t 20 -u 9; (exec 4<>/dev/cachefiles) 2>&1; echo done $?";
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(pipes[1]);
    dup2(pipes[0], 9);
    const Result<Command> command =
        start({"timeout", "25", "bash", "-c", "trap '' TERM; exec bash -c \"$1\" > " + out, "bash",
               script});
    if (!command) _exit(1);
    _exit(wait(*command));
  }
  close(pipes[0]);
  for (int tries = 0; tries < 2000 && !std::filesystem::exists(ready); ++tries) {
    std::this_thread::sleep_for(10ms);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(pipes[1]);  // the program goes on
  std::string text;
  for (int tries = 0; tries < 2000 && text.find("done") == std::string::npos; ++tries) {
    std::this_thread::sleep_for(10ms);
    std::ifstream file(out);
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_THAT(text, HasSubstr("Function not implemented"));
  EXPECT_THAT(text, HasSubstr("done 1"));
}

}  // namespace
}  // namespace coldread::fuse
