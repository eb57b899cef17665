// Exploring: schedules as text, strategies that repeat themselves, searches that find and that end.
#include "sim/explore/explore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/explore/exhaustive.h"
#include "sim/machine/run.h"
#include "sim/scenario/loader.h"

namespace coldread::sim {
namespace {

TEST(ScheduleText, ThereAndBack) {
  const Schedule schedule = {{3, 1}, {17, 0}};
  EXPECT_EQ(schedule_text(schedule), "3:1,17:0");
  const auto parsed = parse_schedule("3:1,17:0");
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(*parsed, schedule);
  EXPECT_EQ(schedule_text({}), "-");
  EXPECT_EQ(*parse_schedule("-"), Schedule());
}

TEST(ScheduleText, AnythingElseIsRefused) {
  for (const char* text : {"", "3", "3:", ":1", "3:1,", "3:1 ", "3:1,3:0", "9:1,3:0", "x", "-1:0"})
    EXPECT_FALSE(parse_schedule(text)) << text;
}

scenario::Scenario load(const std::string& tasks) {
  const std::string text = R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
    "blobs": {"image": {"size": 8192, "pattern": "counter"}},
    "volumes": {"vol": {"key": "erofs,demo"}}, "cookies": {"img": {"volume": "vol", "key": "demo"}},
    "setup": [{"task": "daemon", "do": "bind"}],
    "tasks": )" + tasks + "}";
  auto scenario = scenario::load_text("test.json", text);
  EXPECT_TRUE(scenario) << scenario.error();
  return std::move(*scenario);
}

scenario::Scenario cold_read() {
  return load(R"({
    "daemon": [{"do": "serve", "blobs": {"demo": "image"}}],
    "reader": [{"do": "connect", "cookie": "img"}, {"do": "read", "cookie": "img", "length": 4096},
               {"do": "disconnect", "cookie": "img"}]})");
}

// The daemon looks for the READ once, and never again if it came too early.
scenario::Scenario may_hang() {
  return load(R"({
    "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
               {"do": "copen", "message": "open", "blob": "image"},
               {"do": "poll", "timeout_ms": 0}, {"do": "poll", "timeout_ms": 0},
               {"do": "read_message", "as": "r"},
               {"do": "pwrite", "fd": "open", "blob": "image"},
               {"do": "complete", "message": "r", "fd": "open"}, {"do": "barrier", "name": "b"}],
    "reader": [{"do": "connect", "cookie": "img"}, {"do": "read", "cookie": "img", "length": 4096},
               {"do": "barrier", "name": "b"}, {"do": "disconnect", "cookie": "img"}]})");
}

ExploreOptions options(Search search, uint64_t schedules) {
  ExploreOptions result;
  result.profile = *find_profile("6.12.117");
  result.search = search;
  result.schedules = schedules;
  result.keep_going = true;
  return result;
}

class ByChance : public testing::TestWithParam<Search> {};

TEST_P(ByChance, TheSameSeedsGiveTheSameOutcomesOnAnyNumberOfThreads) {
  const scenario::Scenario scenario = cold_read();
  ExploreOptions one = options(GetParam(), 40);
  ExploreOptions two = one;
  two.jobs = 2;
  const ExploreResult first = explore(scenario, one);
  const ExploreResult second = explore(scenario, two);
  EXPECT_EQ(first.schedules, 40u);
  EXPECT_EQ(first.outcomes, second.outcomes);
  EXPECT_TRUE(first.findings.empty());
}

TEST_P(ByChance, ShardsAddUp) {
  const scenario::Scenario scenario = cold_read();
  ExploreOptions all = options(GetParam(), 30);
  std::map<std::string, uint64_t> sum;
  for (uint64_t shard = 0; shard < 3; shard++) {
    ExploreOptions part = all;
    part.shard = shard;
    part.shards = 3;
    for (const auto& [digest, count] : explore(scenario, part).outcomes) sum[digest] += count;
  }
  EXPECT_EQ(sum, explore(scenario, all).outcomes);
}

TEST_P(ByChance, AFindingRepeatsAndGetsShorter) {
  const scenario::Scenario scenario = may_hang();
  const ExploreResult result = explore(scenario, options(GetParam(), 500));
  ASSERT_FALSE(result.findings.empty());
  const Finding& finding = result.findings.front();
  EXPECT_EQ(finding.kind, "hang");
  const Profile& profile = *find_profile("6.12.117");
  const auto again = replay(scenario, profile, finding.schedule);
  ASSERT_TRUE(again.report);
  EXPECT_EQ(again.report->text, finding.report.text);
  const Schedule shorter = shrink_schedule(scenario, profile, "hang", finding.schedule);
  EXPECT_LE(shorter.size(), finding.schedule.size());
  ASSERT_TRUE(replay(scenario, profile, shorter).report);
}

INSTANTIATE_TEST_SUITE_P(Strategies, ByChance,
                         testing::Values(Search::random, Search::pct, Search::pos),
                         [](const auto& strategy) { return search_name(strategy.param); });

// Nobody else is there: one task, and the workers it sets going.
TEST(Exhaustive, EndsAndSaysHowManyThereAre) {
  const scenario::Scenario scenario = load(R"({
    "reader": [{"do": "acquire_volume", "volume": "vol"}, {"do": "settle"},
               {"do": "relinquish_volume", "volume": "vol"}], "daemon": []})");
  ExploreOptions bounded = options(Search::dfs, 1'000'000);
  bounded.preemptions = 0;
  const ExploreResult ordinary = explore(scenario, bounded);
  EXPECT_TRUE(ordinary.complete);
  EXPECT_TRUE(ordinary.findings.empty());
  bounded.preemptions = 1;
  const ExploreResult more = explore(scenario, bounded);
  EXPECT_TRUE(more.complete);
  EXPECT_GT(more.schedules, ordinary.schedules);
  bounded.schedules = more.schedules - 1;
  EXPECT_FALSE(explore(scenario, bounded).complete);
}

}  // namespace
}  // namespace coldread::sim
