// The conductor with processes that need no cache: turns, barriers, kills, hangs, crashes.
#include "sim/live/conductor.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/scenario/loader.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConductorRun : public testing::Test {
 protected:
  Result<Played> play(const std::string& tasks, const std::string& setup = "[]") {
    const std::string text = R"({"version": 1, "title": "x", "kernels": ["6.12.117"], "setup": )" +
                             setup + R"(, "tasks": )" + tasks + "}";
    auto scenario = scenario::load_text("test.json", text);
    if (!scenario) return Error{scenario.error()};
    scenario_ = std::move(*scenario);
    PlayOptions options;
    options.cache_directory = directory_.path();
    options.work_directory = directory_.path();
    options.hang_after_ms = hang_after_ms_;
    return play_scenario(scenario_, options);
  }
  static std::vector<std::string> verbs_in_order(const player::Transcript& transcript) {
    std::map<uint64_t, std::string> found;
    for (const auto& [name, records] : transcript.tasks) {
      for (const auto& record : records) {
        found[record["seq"]] = name + " " + record["do"].get<std::string>();
      }
    }
    std::vector<std::string> result;
    for (const auto& [seq, verb] : found) result.push_back(verb);
    return result;
  }

  TemporaryDirectory directory_;
  scenario::Scenario scenario_;
  int hang_after_ms_ = 60'000;
};

TEST_F(ConductorRun, SetupGoesFirstInItsOrder) {
  const auto played = play(R"({"a": [{"do": "barrier", "name": "n"}],
                               "b": [{"do": "barrier", "name": "n"}, {"do": "sleep", "ms": 1}]})",
                           R"([{"task": "b", "do": "open"}, {"task": "a", "do": "sleep", "ms": 3},
                               {"task": "b", "do": "sleep", "ms": 0}])");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->transcript.report);
  auto verbs = verbs_in_order(played->transcript);
  verbs.resize(3);
  EXPECT_THAT(verbs, ElementsAre("b open", "a sleep", "b sleep"));
}

TEST_F(ConductorRun, AKilledProcessLeavesItsRecords) {
  const auto played =
      play(R"({"victim": [{"do": "sleep", "ms": 0}, {"do": "sleep", "ms": 86400000}],
                               "killer": [{"do": "sleep", "ms": 50},
                                          {"do": "kill", "task": "victim"}]})");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->transcript.report);
  const auto& records = played->transcript.tasks.at("victim");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["ret"], 0);
  EXPECT_FALSE(records[1].contains("waits")) << "nobody waits any more";
  EXPECT_FALSE(records[1].contains("ret"));
  EXPECT_EQ(played->transcript.tasks.at("killer")[1]["ret"], 0);
}

TEST_F(ConductorRun, SettlesAreGrantedOneAtATime) {
  // Whichever goes first is busy for a while, then kills the other where it still waits.
  const std::string settle = R"([{"do": "settle"}, )";
  std::string busy;
  for (int i = 0; i < 300; ++i) busy += R"({"do": "sleep", "ms": 0}, )";
  const auto played = play(R"({"a": )" + settle + busy + R"({"do": "kill", "task": "b"}], "b": )" +
                           settle + busy + R"({"do": "kill", "task": "a"}]})");
  ASSERT_TRUE(played) << played.error();
  const auto& tasks = played->transcript.tasks;
  const auto& victim = tasks.at("a").size() < tasks.at("b").size() ? tasks.at("a") : tasks.at("b");
  ASSERT_EQ(victim.size(), 1u);
  EXPECT_FALSE(victim[0].contains("ret"));
}

TEST_F(ConductorRun, ABarrierNobodyElseReachesIsAHang) {
  hang_after_ms_ = 300;
  const auto played =
      play(R"({"victim": [{"do": "sleep", "ms": 86400000}, {"do": "barrier", "name": "n"}],
      "waiter": [{"do": "sleep", "ms": 20}, {"do": "kill", "task": "victim"},
                 {"do": "barrier", "name": "n"}]})");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->clean);
  ASSERT_TRUE(played->transcript.report);
  EXPECT_EQ(played->transcript.report->kind, "hang");
  EXPECT_THAT(played->transcript.report->text, HasSubstr("waiter"));
  ASSERT_FALSE(played->transcript.report->details.empty());
  EXPECT_THAT(played->transcript.report->details[0],
              HasSubstr("waiter: at a barrier at /tasks/waiter/2 (barrier)"));
  EXPECT_EQ(played->transcript.tasks.at("waiter")[2]["waits"], true);
  EXPECT_TRUE(played->transcript.disk.is_null());
}

TEST_F(ConductorRun, SleepIsNoHang) {
  hang_after_ms_ = 50;
  const auto played = play(R"({"a": [{"do": "sleep", "ms": 300}]})");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->transcript.report);
}

TEST_F(ConductorRun, AChildThatNobodyEndsEndsWithTheRun) {
  const auto played = play(R"({"a": [{"do": "fork", "as": "x"}, {"do": "sleep", "ms": 20}],
                               "b": [{"do": "sleep", "ms": 0}]})");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->transcript.report);
  EXPECT_EQ(played->transcript.tasks.at("a")[0]["ret"], 0);
}

TEST_F(ConductorRun, AChildSurvivesItsParentAndIsEndedByAnother) {
  const auto played = play(R"({
      "a": [{"do": "fork", "as": "x"}, {"do": "barrier", "name": "n"},
            {"do": "sleep", "ms": 86400000}],
      "b": [{"do": "barrier", "name": "n"}, {"do": "kill", "task": "a"}, {"do": "settle"},
            {"do": "end_child", "child": "x"}, {"do": "end_child", "child": "x"}]})");
  ASSERT_TRUE(played) << played.error();
  const auto& records = played->transcript.tasks.at("b");
  EXPECT_EQ(records.at(3)["ret"], 0);
  EXPECT_EQ(records.at(4)["errno"], "ESRCH");
}

TEST_F(ConductorRun, ASignalIsHandled) {
  const auto played = play(R"({
      "a": [{"do": "sleep", "ms": 3000}],
      "b": [{"do": "settle"}, {"do": "signal", "to": "a"}, {"do": "settle"},
            {"do": "sleep", "ms": 0}, {"do": "signal", "to": "c"}],
      "c": []})");
  ASSERT_TRUE(played) << played.error();
  EXPECT_FALSE(played->transcript.report);
  EXPECT_EQ(played->transcript.tasks.at("a")[0].value("ret", -1), 0);
  const auto& signals = played->transcript.tasks.at("b");
  EXPECT_EQ(signals[1].value("ret", -1), 0) << signals[1];
  EXPECT_EQ(signals[4].value("errno", ""), "ESRCH") << "it has ended; " << signals[4];
}

TEST(TaskProcess, FilesGetTheNumbersOfAFreshProcess) {
  const pid_t child = fork();
  if (child == 0) {
    const int inherited = open("/dev/null", O_RDONLY);
    const int own = move_up(open("/dev/null", O_RDONLY));
    leave_standard_files_only();
    const bool gone = fcntl(inherited, F_GETFD) < 0;
    const bool kept = own >= 200 && fcntl(own, F_GETFD) >= 0;
    _exit(gone && kept && open("/dev/null", O_RDONLY) == 3 ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace coldread::live
