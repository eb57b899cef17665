// The machine's command line, and that nothing of it outlives its owner. A script stands for the
// kernel.
#include "sim/live/guest_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/live/proc_state.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

using testing::Contains;
using testing::ElementsAre;

MachineSpec spec_of(const std::string& linux_path) {
  return {{"6.12.117", linux_path, "m.ko"},
          {uint64_t{16} << 20, 0},
          "/bin/init",
          {"guest", "{DIR}/setup.json"}};
}

TEST(MachineArguments, InitGetsItsArgumentsLast) {
  const auto arguments = machine_arguments(spec_of("/k/linux"), "/tmp/d");
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->front(), "/k/linux");
  EXPECT_THAT(*arguments, Contains("mem=768M"));
  EXPECT_THAT(*arguments, Contains("ro"));
  EXPECT_THAT(std::vector<std::string>(arguments->end() - 4, arguments->end()),
              ElementsAre("init=/bin/init", "--", "guest", "/tmp/d/setup.json"));
}

TEST(MachineArguments, BlanksAreQuotedForTheKernel) {
  MachineSpec spec = spec_of("/k/linux");
  spec.init = "/my bin/init";
  const auto arguments = machine_arguments(spec, "/tmp/a b");
  ASSERT_TRUE(arguments);
  EXPECT_THAT(*arguments, Contains("init=\"/my bin/init\""));
  EXPECT_THAT(*arguments, Contains("\"/tmp/a b/setup.json\""));
}

TEST(MachineArguments, WhatCannotBeQuotedIsAnError) {
  MachineSpec spec = spec_of("/k/linux");
  spec.init = "/in\"it";
  EXPECT_FALSE(machine_arguments(spec, "/tmp/d"));
}

TEST(LastLines, WithoutEmptyOnes) {
  EXPECT_EQ(last_lines("a\r\n\r\nb\n\nc\n", 2), "b\nc");
  EXPECT_EQ(last_lines("", 2), "");
}

// A directory for machines, and a script that says its process id and then does as it likes.
class Machine : public testing::Test {
 protected:
  void SetUp() override { setenv("TMPDIR", directory_.path().c_str(), 1); }
  void TearDown() override { unsetenv("TMPDIR"); }

  Result<std::unique_ptr<GuestMachine>> create(const std::string& script) {
    return GuestMachine::create(spec_of(directory_.write("linux", "#!/bin/sh\n" + script)));
  }
  size_t machines_left() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      count += entry.path().filename().string().rfind("coldread-guest.", 0) == 0;
    }
    return count;
  }

  TemporaryDirectory directory_;
};

TEST_F(Machine, RunsInItsDirectoryWithADisk) {
  auto machine = create("test -s disk && test -d out && echo well\n");
  ASSERT_TRUE(machine) << machine.error();
  ASSERT_TRUE((*machine)->boot());
  EXPECT_TRUE((*machine)->wait_end(-1));
  EXPECT_EQ((*machine)->log(), "well\n");
}

TEST_F(Machine, IsNotThereWithoutItsProgram) {
  auto machine = GuestMachine::create(spec_of(directory_.path() / "nothing"));
  ASSERT_TRUE(machine);
  ASSERT_TRUE((*machine)->boot());
  EXPECT_TRUE((*machine)->wait_end(-1));
  EXPECT_EQ((*machine)->log(), "cannot be executed\n");
}

TEST_F(Machine, DiesWithItsOwnerAndItsChildren) {
  std::string log;
  {
    // The inner shell stands for the processes that a machine has on its host.
    auto machine =
        create("sh -c 'echo $$; exec sleep 1000' & echo $$; : > out/ready; exec sleep 1000\n");
    ASSERT_TRUE(machine) << machine.error();
    ASSERT_TRUE((*machine)->boot());
    EXPECT_EQ(machines_left(), 1u);
    while (std::count(log.begin(), log.end(), '\n') < 2) log = (*machine)->log();
    EXPECT_FALSE((*machine)->wait_end(0));
  }
  EXPECT_EQ(machines_left(), 0u);
  std::istringstream pids(log);
  for (pid_t pid; pids >> pid;) {
    while (thread_state(pid, pid) != 'X' && thread_state(pid, pid) != 'Z') usleep(1000);
  }
}

TEST_F(Machine, NeverBootedLeavesNothing) {
  { ASSERT_TRUE(create("exit 0\n")); }
  EXPECT_EQ(machines_left(), 0u);
}

TEST_F(Machine, DiesWithAKilledOwner) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t owner = fork();
  if (owner == 0) {
    auto machine = create("exec sleep 1000\n");
    if (!machine || !(*machine)->boot()) _exit(1);
    (void)!write(ends[1], "b", 1);
    pause();
  }
  char byte;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_EQ(machines_left(), 1u);
  kill(owner, SIGKILL);
  waitpid(owner, nullptr, 0);
  while (machines_left() != 0) usleep(1000);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace coldread::live
