// What programs see that open the device, dup it, fork with it and read messages, against a fake
// server; and that nothing else changes for them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>

#include "fuse/supervisor/probe.h"
#include "tests/fuse/supervisor/supervised.h"

namespace coldread::fuse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

std::string environment(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Cases : public Supervised, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    Supervised::SetUp();
    program_ = environment(GetParam());
    if (program_.empty()) GTEST_SKIP() << "not built: no compiler for " << GetParam();
    service_->send(open_message(5, 1));
    service_->send(read_message(7, 1, 0, 4096));
  }
  std::string run_case(const std::string& name) {
    const ProgramResult result = run({program_, name});
    EXPECT_EQ(result.status, 0) << result.out;
    return result.out;
  }
  std::string program_;
};

INSTANTIATE_TEST_SUITE_P(With, Cases,
                         testing::Values("COLDREAD_CASES_DYNAMIC", "COLDREAD_CASES_MUSL"),
                         [](const auto& test) {
                           return std::string(test.param).substr(sizeof("COLDREAD_CASES"));
                         });

TEST_P(Cases, AColdRead) {
  EXPECT_EQ(run_case("cold-read"),
            "open 992\nread 46\nopcode 0 id 5\nfd 3\npwrite 5\nflags 1\nclose-on-exec 0\n"
            "read 32\nopcode 2 id 7\ncomplete 0\ncomplete -22\nempty 0\n");
  EXPECT_EQ(contents(service_->anonymous_path(1)), "hello");
  EXPECT_THAT(service_->completed, ElementsAre(7, 100));
}

TEST_P(Cases, ANumberThatSomebodyElseTookIsPutRightInTheMessage) {
  service_->mispredict = 2;
  EXPECT_THAT(run_case("fork"), HasSubstr("fd 3\n"));
}

TEST_P(Cases, EveryWayToOpenTheDeviceFindsIt) {
  EXPECT_EQ(run_case("ways-to-open"),
            "openat 992\nclose-on-exec 0\nopenat dir 993\nclose-on-exec 1\nrelative 994\n"
            "openat2 995\nopen call 996\n");
}

TEST_P(Cases, OtherFilesAreTheKernels) {
  EXPECT_EQ(run_case("other-files"),
            "mkstemp 1\nwrite 3\nnull 1\nmissing -2\nbad path -14\nopenat2 missing -2\n"
            "bad how -14\ndup2 1\nseek 0\nread 3\ndup 1\nioctl -25\n");
  EXPECT_TRUE(service_->read_results.empty());
}

TEST_P(Cases, CopiesAreLookedAtToo) {
  EXPECT_EQ(run_case("dup"),
            "open 992\ndup 993\nread 46\nopcode 0 id 5\nfd 3\ndupfd 1000\nclose-on-exec 0\n"
            "dupfd cloexec 994\nclose-on-exec 1\ndup3 1010\nclose-on-exec 1\ndup2 1011\n"
            "dup2 same 992\ndup3 same -22\ndup2 low 5\ndupfd high 1024\n"
            "read 32\nopcode 2 id 7\nclose 0\nread 0\n");
}

TEST_P(Cases, AChildReadsWithWhatItInherited) {
  EXPECT_EQ(run_case("fork"), "open 992\nread 46\nopcode 0 id 5\nfd 3\nread 32\nopcode 2 id 7\n");
}

TEST_P(Cases, ThreadsRead) {
  EXPECT_EQ(run_case("threads"),
            "open 992\nread 46\nopcode 0 id 5\nfd 3\nread 32\nopcode 2 id 7\n");
}

TEST_P(Cases, AnOpenForWhichThereIsNoNumberFails) {
  service_->send(open_message(8, 2));
  EXPECT_EQ(run_case("no-numbers"), "open 992\nread -24\nread 32\nopcode 2 id 7\n");
  EXPECT_THAT(service_->read_results, ElementsAre(-EMFILE, 32));
}

TEST_P(Cases, MemoryThatFaultsFailsTheRead) {
  service_->send(read_message(9, 1, 0, 4096));
  EXPECT_EQ(run_case("bad-memory"),
            "open 992\nread -14\nread -14\nshort -90\nread 32\nopcode 2 id 9\n");
}

TEST_P(Cases, WhoGaveUpItsRightsReadsButDoesNotOpen) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(run_case("setuid"), "open 992\nsetuid 0\nagain -1\nread 46\nopcode 0 id 5\nfd 3\n");
}

TEST_P(Cases, AReadAtALowNumberIsTheFilesOwn) {
  EXPECT_EQ(run_case("low-number"), "open 992\ndup2 7\nread 0\n");
  EXPECT_TRUE(service_->read_results.empty());
}

TEST_P(Cases, OnlyARedirectedThreadMayUseTheNumberThatStandsIn) {
  EXPECT_EQ(run_case("stand-in"), "read -9\n");
  EXPECT_TRUE(service_->read_results.empty());
}

TEST_P(Cases, SignalsDisturbNoCall) {
  if (!probe_listener().text.starts_with("works; signals")) GTEST_SKIP() << probe_listener().text;
  for (uint32_t id = 0; id < 200; ++id) service_->send(read_message(id, 1, 0, 4096));
  EXPECT_THAT(run_case("signals"), HasSubstr("\nin order 200\n"));
}

TEST_P(Cases, BadArgumentsAreRefusedAsWithoutASupervisor) {
  const std::string out = directory_ / "unwatched";
  ASSERT_EQ(std::system((program_ + " bad-arguments > " + out).c_str()), 0);
  const std::string expected = contents(out);
  EXPECT_THAT(expected, HasSubstr("path without an end -14\n"));
  EXPECT_EQ(run({program_, "bad-arguments"}).out, expected);
  EXPECT_EQ(run({program_, "bad-arguments"}, true).out, expected);
  EXPECT_TRUE(service_->read_results.empty());
  EXPECT_TRUE(service_->calls.empty());
  EXPECT_TRUE(service_->completed.empty());
}

TEST_P(Cases, WhoSeesAllIsShownAKernelsDevice) {
  const ProgramResult result = run({program_, "as-a-kernel"}, true);
  EXPECT_EQ(result.out,
            "read only 3\nread 46\nfd 4\nwrite only 5\nread -9\nlseek 77\nlseek 77\nioctl -22\n"
            "nothing 77\nnothing 77\nsomething 5\nother 0\n");
  const auto anonymous = [this](size_t index) {
    return service_->kind_of(service_->calls.at(index).file) == DeviceService::Kind::anonymous;
  };
  ASSERT_EQ(service_->calls.size(), 4u);
  EXPECT_EQ(service_->calls[0].what, FileCall::What::lseek);
  EXPECT_EQ(service_->calls[0].argument, 12u);
  EXPECT_EQ(service_->calls[0].number, 2u);
  EXPECT_FALSE(anonymous(0));
  EXPECT_TRUE(anonymous(1));
  EXPECT_EQ(service_->calls[2].what, FileCall::What::write_nothing);
  EXPECT_FALSE(anonymous(2));
  EXPECT_EQ(service_->calls[3].argument, 9u);
  EXPECT_TRUE(anonymous(3));
}

class Others : public Supervised {};

TEST_F(Others, AGoProgramReads) {
  const std::string program = environment("COLDREAD_CASES_GO");
  if (program.empty()) GTEST_SKIP() << "not built: Go is missing";
  service_->send(open_message(5, 1));
  service_->send(read_message(7, 1, 0, 4096));
  const ProgramResult result = run({program});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out,
            "open 992 <nil>\nread 46 <nil>\nopcode 0\npwrite 5 <nil>\nread 32 <nil>\nopcode 2\n"
            "complete 0\nfailed 0\n");
}

TEST_F(Others, AShellOpensTheDeviceAtALowNumber) {
  const ProgramResult result =
      run_shell("exec 3<>/dev/cachefiles && echo opened && echo words >&3");
  EXPECT_EQ(result.out, "opened\n");
  EXPECT_EQ(contents(service_->device_path()), "words\n");
}

TEST_F(Others, ALowLimitOfDescriptorsIsNoReasonToFail) {
  const ProgramResult result = run_shell("ulimit -n 100; exec 3<>/dev/cachefiles && echo opened");
  EXPECT_EQ(result.out, "opened\n");
}

// The thread that blocks in it, as /proc/THREAD/syscall tells.
pid_t thread_that_reads(pid_t command, int fd) {
  for (int tries = 0; tries < 2000; ++tries) {
    for (pid_t pid = command; pid < command + 20; ++pid) {
      const std::string call = contents("/proc/" + std::to_string(pid) + "/syscall");
      if (call.rfind("0 0x" + std::to_string(fd) + " ", 0) == 0) return pid;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return -1;
}

TEST_F(Others, AReadAtALowNumberCanBeRedirected) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "this machine's registers are not known";
#endif
  const std::string program = environment("COLDREAD_CASES_DYNAMIC");
  if (program.empty()) GTEST_SKIP() << "not built";
  service_->send(open_message(5, 1));
  int pipes[2];
  ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
  ASSERT_GE(dup2(pipes[0], 6), 0);
  bool redirected = false;
  while_running_ = [&](Supervisor& supervisor, pid_t command) {
    const pid_t reader = thread_that_reads(command, 6);
    redirected = reader > 0 && supervisor.redirect(reader);
    EXPECT_EQ(write(pipes[1], "more", 4), 4);
    close(pipes[1]);
  };
  const ProgramResult result = run({program, "blocked-read"});
  for (const int fd : {pipes[0], 6}) close(fd);
  EXPECT_TRUE(redirected);
  // Whether the first read had its data already when it was stopped: its result is dropped.
  EXPECT_THAT(result.out, MatchesRegex("open 992\nblocks\nsize 46 fd 6\n"
                                       "opcode 0 message fd 3\nagain [04]\n"));
}

}  // namespace
}  // namespace coldread::fuse
