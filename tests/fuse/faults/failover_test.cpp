// Fail-over: a daemon is killed at any step of a cold read while somebody keeps the device. Its
// successor restores the requests, and the reader notices nothing.
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "tests/fuse/faults/place.h"

namespace coldread::faults {
namespace {

constexpr long kMostSteps = 100;

class Failover : public Place, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (!IsSkipped()) start(GetParam().way, GetParam().profile);
    if (IsSkipped() || HasFailure()) return;
    say("keep " + at("cache"));
    await({"kept"});
  }

  void make_volume(const std::string& name) {
    ASSERT_EQ(mkdir(volume(name).c_str(), 0755), 0) << std::strerror(errno);
  }

  // False: the daemon has no such step.
  bool killed_at(long step) {
    const std::string name = "v" + std::to_string(volumes_);
    const std::string key = "k" + std::to_string(step) + "-11808";
    const pid_t daemon = start_successor(std::to_string(step));
    make_volume(name);
    start_reader(volume(name + "/" + key));
    std::string line = await({"step ", "reader "});
    const bool was_read = line.starts_with("reader ");
    if (was_read) {
      EXPECT_NE(line.find(" ok "), std::string::npos) << line;
      start_rmdir(name);
      line = await({"step ", "ended "});
    }
    if (!line.starts_with("step ")) return false;
    kill_daemon(daemon);
    const pid_t successor = start_successor();
    if (!was_read) {
      const std::string outcome = await({"reader "});
      EXPECT_NE(outcome.find(" ok "), std::string::npos) << line << ": " << outcome;
      start_rmdir(name);
    }
    await({"rmdir 0 "});
    end_children();
    // Or the CLOSE would be among the next daemon's steps. Nobody knows of one that was read and
    // not acted upon: its object stays in use, and with it the volume.
    await({"close " + key});
    if (was_read)
      volumes_++;
    else
      await({"closed " + key});
    kill_daemon(successor);
    return true;
  }

  int volumes_ = 0;
};

TEST_P(Failover, ASuccessorGoesOnFromEachStep) {
  long step = 1;
  while (step < kMostSteps && !HasFailure() && killed_at(step)) step++;
  EXPECT_GT(step, 30);
  EXPECT_LT(step, kMostSteps) << "it never comes to its end";
  say("release");
  await({"released"});
  EXPECT_EQ(stop(), 0) << log();
  check_cache();
}

class FailoverOfOneReader : public Failover {};

TEST_P(FailoverOfOneReader, WithoutASuccessorReadersWaitUntilTheDeviceIsReleased) {
  make_volume("v");
  const pid_t daemon = start_successor("pwrite");
  start_reader(volume("v/k-11808"));
  await({"step "});
  kill_daemon(daemon);
  usleep(200'000);  // in which nothing happens
  EXPECT_NE(requests().find(" READ "), std::string::npos) << requests();
  say("release");
  EXPECT_NE(await({"reader "}).find(" read 5 "), std::string::npos);
  EXPECT_EQ(stop(), 0) << log();
}

TEST_P(FailoverOfOneReader, AKilledReaderEndsAsItsProfileSays) {
  make_volume("v");
  const pid_t daemon = start_successor("pwrite");
  const pid_t reader = start_reader(volume("v/k-11808"));
  await({"step "});
  kill_daemon(daemon);
  kill(reader, SIGKILL);
  if (profile_ == "6.8") {
    usleep(200'000);  // in which nothing happens
    EXPECT_EQ(waitpid(reader, nullptr, WNOHANG), 0);
    say("release");
  }
  EXPECT_EQ(waitpid(reader, nullptr, 0), reader);
  if (profile_ != "6.8") say("release");
  await({"released"});
  EXPECT_EQ(stop(), 0) << log();
}

INSTANTIATE_TEST_SUITE_P(Of, Failover, each_way_and_kernel(), name_of);
INSTANTIATE_TEST_SUITE_P(Of, FailoverOfOneReader, each_way_and_rule(), name_of);

}  // namespace
}  // namespace coldread::faults
