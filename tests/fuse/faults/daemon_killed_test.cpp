// A daemon that is killed at any step of a cold read: its readers end, with an error or with what
// it wrote, and the next daemon is asked for exactly the rest.
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <sstream>

#include "tests/fuse/faults/pattern.h"
#include "tests/fuse/faults/place.h"

namespace coldread::faults {
namespace {

constexpr uint64_t kSize = 11'808;  // two READs: of two blocks, and of one that is cut off
constexpr uint64_t kRoundedUp = 12'288;
constexpr long kMostSteps = 100;

std::string key_of(long step) {
  return "k" + std::to_string(step) + "-" + std::to_string(kSize);
}

// What a later daemon has to be asked for.
std::vector<Range> without(const std::vector<Range>& written) {
  std::vector<Range> result;
  uint64_t from = 0;
  for (const Range& range : written) {
    if (range.from > from) result.push_back({from, range.from});
    from = range.to;
  }
  if (from < kRoundedUp) result.push_back({from, kRoundedUp});
  return result;
}

class DaemonKilled : public Place, public testing::WithParamInterface<Case> {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (!IsSkipped()) start(GetParam().way, GetParam().profile);
  }

  // A cold read, during which the daemon is killed at this step. False: it has no such step.
  bool killed_at(long step) {
    const pid_t daemon = start_daemon(std::to_string(step));
    std::string line = await({"ready", "step "});
    const bool ready = line == "ready";
    bool reads = false;
    if (ready) {
      EXPECT_EQ(mkdir(volume("v").c_str(), 0755), 0) << std::strerror(errno);
      start_reader(volume("v/" + key_of(step)));
      reads = true;
    }
    while (ready && !line.starts_with("step ") && !line.starts_with("ended ") && !line.empty()) {
      line = await({"step ", "reader ", "ended "});
      if (!line.starts_with("reader ")) continue;
      reads = false;
      outcome(line);
      start_rmdir("v");  // has the daemon close the object
    }
    const bool stopped = line.starts_with("step ");
    if (stopped) {
      steps_.push_back(line);
      kill_daemon(daemon);
    }
    if (reads) {
      outcome(await({"reader "}));
      start_rmdir("v");
    }
    if (ready) await({"rmdir 0 "});
    end_children();
    return stopped;
  }

  void outcome(const std::string& line) {
    std::istringstream words(line);
    std::string reader, pid, what;
    int error = 0;
    words >> reader >> pid >> what >> error;
    outcomes_[what]++;
    if (what == "open") {
      EXPECT_TRUE(error == ENOBUFS || error == EIO) << line;
    } else if (what == "read") {
      EXPECT_EQ(error, EIO) << line;
    } else {
      EXPECT_EQ(what, "ok") << line;
    }
  }

  // Another server, another daemon: everything is there, and nobody is asked for it twice.
  void read_everything_again(long steps) {
    start(GetParam().way, GetParam().profile);
    const size_t from = told().size();
    start_daemon();
    await({"ready"});
    ASSERT_EQ(mkdir(volume("v").c_str(), 0755), 0) << std::strerror(errno);
    for (long step = 1; step < steps; step++) {
      start_reader(volume("v/" + key_of(step)));
      EXPECT_NE(await({"reader "}).find(" ok "), std::string::npos) << key_of(step);
    }
    const auto asked = ranges("asked", from);
    for (long step = 1; step < steps; step++) {
      const auto found = asked.find(key_of(step));
      EXPECT_EQ(found == asked.end() ? std::vector<Range>() : found->second,
                without(written_[key_of(step)]))
          << steps_.at(static_cast<size_t>(step) - 1);
    }
    EXPECT_EQ(stop(), 0) << log();
  }

  std::vector<std::string> steps_;
  std::map<std::string, int> outcomes_;
  std::map<std::string, std::vector<Range>> written_;
};

TEST_P(DaemonKilled, AtEachStepOfAColdRead) {
  long steps = 1;
  while (steps < kMostSteps && !HasFailure() && killed_at(steps)) steps++;
  EXPECT_GT(steps, 40);
  EXPECT_LT(steps, kMostSteps) << "it never comes to its end";
  for (const char* what : {"open", "read", "ok"}) EXPECT_GT(outcomes_[what], 0) << what;
  EXPECT_EQ(stop(), 0) << log();
  written_ = ranges("wrote");
  const auto kept = check_cache();
  for (const auto& [key, written] : written_) {
    const auto found = kept.find(key);
    EXPECT_EQ(found == kept.end() ? std::vector<Range>() : found->second, written) << key;
  }
  read_everything_again(steps);
  for (const auto& [key, data] : check_cache())
    EXPECT_EQ(data, (std::vector<Range>{{0, kRoundedUp}})) << key;
}

class KilledReader : public DaemonKilled {};

TEST_P(KilledReader, WaitsAsLongAsItsProfileSays) {
  const bool killable = profile_ != "6.8";
  const pid_t daemon = start_daemon("pwrite");
  await({"ready"});
  ASSERT_EQ(mkdir(volume("v").c_str(), 0755), 0) << std::strerror(errno);
  const pid_t reader = start_reader(volume("v/" + key_of(1)));
  await({"step "});
  kill(reader, SIGKILL);
  if (!killable) {
    usleep(300'000);  // in which nothing happens
    EXPECT_EQ(waitpid(reader, nullptr, WNOHANG), 0);
    EXPECT_NE(requests().find(" READ "), std::string::npos) << requests();
    kill_daemon(daemon);
  }
  EXPECT_EQ(waitpid(reader, nullptr, 0), reader);
  while (requests().find(" READ ") != std::string::npos) usleep(1000);
  if (killable) kill_daemon(daemon);
  EXPECT_EQ(stop(), 0) << log();
}

INSTANTIATE_TEST_SUITE_P(Of, DaemonKilled, each_way_and_kernel(), name_of);
INSTANTIATE_TEST_SUITE_P(Of, KilledReader, each_way_and_rule(), name_of);

}  // namespace
}  // namespace coldread::faults
