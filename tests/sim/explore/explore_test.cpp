// Exploring: schedules as text, strategies that repeat themselves, searches that find and that end.
#include "sim/explore/explore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/explore/check.h"
#include "sim/explore/exhaustive.h"
#include "sim/machine/run.h"
#include "sim/scenario/loader.h"
#include "sim/scheduler/fiber.h"

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

std::map<uint64_t, uint64_t> counts(const ExploreResult& result) {
  std::map<uint64_t, uint64_t> sums;
  for (const auto& [key, outcome] : result.outcomes) sums[key] = outcome.schedules;
  return sums;
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
  EXPECT_EQ(counts(first), counts(second));
  EXPECT_EQ(first.states.estimate(), second.states.estimate());
  EXPECT_TRUE(first.findings.empty());
}

TEST_P(ByChance, ShardsAddUp) {
  const scenario::Scenario scenario = cold_read();
  ExploreOptions all = options(GetParam(), 30);
  ExploreResult sum;
  for (uint64_t shard = 0; shard < 3; shard++) {
    ExploreOptions part = all;
    part.shard = shard;
    part.shards = 3;
    merge_results(sum, explore(scenario, part));
  }
  const ExploreResult whole = explore(scenario, all);
  EXPECT_EQ(counts(sum), counts(whole));
  EXPECT_EQ(sum.states.estimate(), whole.states.estimate());
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
  const Schedule shorter = shrink_schedule(
      scenario, profile, [](const auto& report) { return report.kind == "hang"; },
      finding.schedule);
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

// Leaving interleavings out loses no outcome: where nothing is left out, but for a bound on
// preemptions, no other one comes up.
TEST(Exhaustive, WhatIsLeftOutAddsNothing) {
  if (sim::kAddressSanitizer) GTEST_SKIP() << "takes minutes; the build without sanitizers runs it";
  for (const char* play : {
           R"("tasks": {"a": [{"do": "open", "as": "dev"}, {"do": "settle"}],
                        "b": [{"do": "open", "as": "dev"}, {"do": "settle"}], "daemon": []})",
           R"("setup": [{"task": "a", "do": "open", "as": "x"}],
              "tasks": {"a": [{"do": "dup", "fd": "x", "as": "y"}, {"do": "close", "fd": "x"}],
                        "b": {"process": "a", "steps": [{"do": "dup", "fd": "x", "as": "z"}]}})",
       }) {
    std::string text = R"({"version": 1, "title": "t", "kernels": ["6.12.117"], )";
    text += play;
    const auto scenario = scenario::load_text("test.json", text + "}");
    ASSERT_TRUE(scenario) << scenario.error();
    ExploreOptions reduced = options(Search::dfs, 1'000'000);
    ExploreOptions whole = reduced;
    whole.preemptions = 1;
    const ExploreResult few = explore(*scenario, reduced);
    const ExploreResult all = explore(*scenario, whole);
    ASSERT_TRUE(few.complete);
    ASSERT_TRUE(all.complete);
    EXPECT_GT(all.outcomes.size(), 1u);
    for (const auto& [key, outcome] : all.outcomes) EXPECT_TRUE(few.outcomes.contains(key)) << play;
  }
}

// Whatever a daemon does or leaves undone, the reader comes back; each way of it is tried.
TEST(DaemonChoices, AreExplored) {
  const scenario::Scenario scenario = cold_read();
  ExploreOptions exploring = options(Search::random, 400);
  const size_t well = explore(scenario, exploring).outcomes.size();
  exploring.daemon_choices = true;
  const ExploreResult result = explore(scenario, exploring);
  EXPECT_TRUE(result.findings.empty());
  EXPECT_GT(result.outcomes.size(), well);
  const Outcome& any = result.outcomes.begin()->second;
  EXPECT_EQ(replay(scenario, exploring.profile, any.schedule, true).canonical(),
            replay(scenario, exploring.profile, any.schedule, true).canonical());
}

// A reader that nobody answers hangs, however fairly everybody is treated.
TEST(Liveness, ARequestThatIsNeverAnsweredIsFound) {
  const scenario::Scenario scenario = load(R"({
    "daemon": [{"do": "serve", "blobs": {"demo": "image"}, "ignore": ["READ"]}],
    "reader": [{"do": "connect", "cookie": "img"}, {"do": "read", "cookie": "img", "length": 4096},
               {"do": "disconnect", "cookie": "img"}]})");
  const ExploreResult result = explore(scenario, options(Search::pct, 20));
  ASSERT_FALSE(result.findings.empty());
  EXPECT_EQ(result.findings[0].kind, "hang");
}

// Before failover_epollin_narrowed a device with a request that was read and not answered is ready,
// and a read of it brings nothing: the daemon is busy for ever, and alone.
TEST(Liveness, ARequestThatIsNeverAnsweredIsFoundWithoutDeadlock) {
  const scenario::Scenario scenario = load(R"({
    "daemon": [{"do": "serve", "blobs": {"demo": "image"}, "ignore": ["READ"]}],
    "reader": [{"do": "connect", "cookie": "img"}, {"do": "read", "cookie": "img", "length": 4096},
               {"do": "disconnect", "cookie": "img"}]})");
  for (const Search search : {Search::pct, Search::dfs}) {
    ExploreOptions exploring = options(search, 1);
    exploring.profile = *find_profile("6.1");
    const ExploreResult result = explore(scenario, exploring);
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].kind, "hang");
    EXPECT_THAT(result.findings[0].report.text, testing::HasSubstr("goes on and on"));
    EXPECT_THAT(result.findings[0].report.details,
                testing::ElementsAre(testing::HasSubstr("reader waits: completion req->done")));
  }
}

TEST(Determinism, EveryStateIsTheSameAgain) {
  for (const Search search : {Search::random, Search::pct, Search::pos}) {
    const DeterminismCheck check = check_determinism(cold_read(), options(search, 30));
    EXPECT_EQ(check.difference, std::nullopt);
    EXPECT_EQ(check.schedules, 30u);
  }
}

TEST(Determinism, AnInterruptEndsTheCheck) {
  const std::atomic<bool> stop{true};
  ExploreOptions exploring = options(Search::random, 30);
  exploring.stop = &stop;
  EXPECT_EQ(check_determinism(cold_read(), exploring).schedules, 0u);
}

// The daemon writes at `offset`, and the reader does not look: the same steps on the same objects.
scenario::Scenario writes_at(const std::string& offset) {
  return load(R"({
    "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
               {"do": "copen", "message": "open", "blob": "image"},
               {"do": "pwrite", "fd": "open", "blob": "image", "length": 4096, "offset": )" +
              offset + R"(},
               {"do": "barrier", "name": "end"}],
    "reader": [{"do": "connect", "cookie": "img"}, {"do": "barrier", "name": "end"},
               {"do": "disconnect", "cookie": "img"}]})");
}

// A state is more than who has touched what.
TEST(Determinism, AStateKnowsWhereTheDataIs) {
  const ExploreOptions exploring = options(Search::random, 1);
  const auto trail = [&](const std::string& offset) {
    RandomChoice strategy(7);
    return trail_of(writes_at(offset), exploring, strategy);
  };
  const Trail first = trail("0"), second = trail("4096");
  EXPECT_EQ(difference_between(first, trail("0")), std::nullopt);
  EXPECT_EQ(first.states.size(), second.states.size());
  EXPECT_THAT(difference_between(first, second), testing::Optional(testing::HasSubstr("differ")));
}

// Decides by something that no seed tells.
TEST(Determinism, AStrategyThatDoesNotRepeatItselfIsNoticed) {
  uint64_t made = 0;
  const DeterminismCheck check =
      check_determinism(cold_read(), options(Search::random, 30),
                        [&](uint64_t) { return std::make_unique<RandomChoice>(++made); });
  EXPECT_THAT(check.difference,
              testing::Optional(testing::HasSubstr("seed 1: two runs differ from decision ")));
}

TEST(DistinctCounts, AreCloseAndAddUp) {
  RandomNumbers random(1);
  DistinctCount small, left, right, both;
  for (int i = 0; i < 100; i++) small.add(random.next());
  EXPECT_NEAR(static_cast<double>(small.estimate()), 100, 3);
  for (int i = 0; i < 200'000; i++) {
    const uint64_t number = random.next();
    (i % 2 == 0 ? left : right).add(number);
    both.add(number);
    both.add(number);
  }
  EXPECT_NEAR(static_cast<double>(both.estimate()), 200'000, 6'000);
  left.merge(right);
  EXPECT_EQ(left.estimate(), both.estimate());
}

}  // namespace
}  // namespace coldread::sim
