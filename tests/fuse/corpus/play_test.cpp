// Plays through a mount that do not go as plays should; how scenarios go is corpus.py's subject.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fuse/supervisor/probe.h"
#include "sim/cli/agreement.h"
#include "sim/live/mounted_play.h"
#include "sim/live/proc_state.h"
#include "sim/scenario/loader.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

using testing::HasSubstr;

class PlayTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const fuse::Probe& probe : {fuse::probe_mounting(), fuse::probe_listener()}) {
      if (!probe.works) GTEST_SKIP() << probe.text;
    }
    setenv("TMPDIR", directory_.path().c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
    options_.program = getenv("COLDREAD");           // NOLINT(concurrency-mt-unsafe)
  }
  void TearDown() override { unsetenv("TMPDIR"); }  // NOLINT(concurrency-mt-unsafe)

  scenario::Scenario scenario_of(const std::string& steps) const {
    const std::string path = directory_.path() / "scenario.json";
    std::ofstream(path)
        << R"({"version": 1, "title": "test", "kernels": ["6.12.117"], "tasks": {"a": [)" << steps
        << "]}}";
    Result<scenario::Scenario> loaded = scenario::load_file(path, {});
    EXPECT_TRUE(loaded) << loaded.error();
    return *loaded;
  }
  Result<player::Transcript> play(const std::string& steps) const {
    return play_mounted(scenario_of(steps), "6.12.117", options_);
  }
  // But for the scenario.
  size_t files_left() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(directory_.path()))
      count++;
    return count - 1;
  }

  // Whose command line names our directory.
  size_t processes_left() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      if (read_file(entry.path() / "cmdline").find(directory_.path()) != std::string::npos) count++;
    }
    return count;
  }

  TemporaryDirectory directory_;
  GuestOptions options_;
};

TEST_F(PlayTest, LeavesNothingBehind) {
  const auto transcript = play(R"({"do": "bind"}, {"do": "close"})");
  ASSERT_TRUE(transcript) << transcript.error();
  EXPECT_FALSE(transcript->report);
  EXPECT_EQ(transcript->tasks.at("a").size(), 5u);
  EXPECT_EQ(files_left(), 0u);
}

TEST_F(PlayTest, WhoWaitsForNobodyIsAHang) {
  options_.hang_after_ms = 300;
  const auto transcript = play(R"({"do": "bind"}, {"do": "poll"})");
  ASSERT_TRUE(transcript) << transcript.error();
  ASSERT_TRUE(transcript->report);
  EXPECT_EQ(transcript->report->kind, "hang");
  EXPECT_THAT(transcript->report->text, HasSubstr("still there: a"));
  EXPECT_EQ(files_left(), 0u);
}

TEST_F(PlayTest, OneThatDoesNotEndIsKilledAndAFinding) {
  options_.scenario_limit_ms = 1000;
  const auto transcript = play(R"({"do": "sleep", "ms": 3600000})");
  ASSERT_TRUE(transcript) << transcript.error();
  ASSERT_TRUE(transcript->report);
  EXPECT_EQ(transcript->report->kind, "hang");
  EXPECT_THAT(transcript->report->text, HasSubstr("did not end in 1 s and was killed"));
  EXPECT_EQ(files_left(), 0u);
  while (processes_left() > 0) std::this_thread::yield();
}

TEST_F(PlayTest, ADerivedProfileIsMountedIfItIsAskedFor) {
  const scenario::Scenario scenario = scenario_of(R"({"do": "bind"})");
  const Profile& derived = *find_profile("6.8");
  EXPECT_THAT(cli::why_not_mounted(scenario, derived, {}, false), HasSubstr("derived"));
  EXPECT_EQ(cli::why_not_mounted(scenario, derived, {}, true), "");
  EXPECT_EQ(cli::why_not_mounted(scenario, *find_profile("6.1.192"), {}, false), "");
}

}  // namespace
}  // namespace coldread::live
