// The probes say what they found, leave nothing behind, and see a listener that is in the way.
#include "fuse/supervisor/probe.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/fuse/supervisor/supervised.h"

namespace coldread::fuse {
namespace {

TEST(Probes, HaveAReasonAndLeaveNoChildBehind) {
  // In a process of its own: other tests' programs become this one's children.
  const pid_t child = fork();
  if (child == 0) {
    int silent = 0;
    for (const Probe& probe : {probe_mounting(), probe_listener(), probe_memory(),
                               probe_redirection(), probe_descriptors()}) {
      silent += probe.text.empty() ? 1 : 0;
    }
    _exit(silent == 0 && waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Probes, TellWhereTheDeviceWouldBe) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  limit.rlim_cur = 200;
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_TRUE(probe_descriptors().works);
  EXPECT_EQ(probe_descriptors().text, "the device is opened as 160 to 190");
  limit.rlim_cur = 20;
  setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_FALSE(probe_descriptors().works);
  setrlimit(RLIMIT_NOFILE, &before);
}

class Nested : public Supervised {};

TEST_F(Nested, AListenerInTheWayIsSeen) {
  const char* const program = getenv("COLDREAD_CASES_DYNAMIC");  // NOLINT(concurrency-mt-unsafe)
  if (program == nullptr) GTEST_SKIP() << "not built";
  EXPECT_EQ(run({program, "second-listener"}).out, "seccomp -16\n");
}

}  // namespace
}  // namespace coldread::fuse
