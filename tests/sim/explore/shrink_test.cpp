// Findings: as files, made small, and looked at.
#include "sim/explore/shrink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>

#include "sim/explore/explore.h"
#include "sim/replay/replay.h"

namespace coldread::sim {
namespace {

using testing::HasSubstr;

const Profile& profile() {
  return *find_profile("6.12.117");
}

// The daemon looks for the READ too early; a bystander and much of the play have nothing to do
// with it.
FindingFile find_one() {
  FindingFile finding;
  finding.path = "test.json";
  finding.kernel = "6.12.117";
  finding.scenario = nlohmann::ordered_json::parse(R"({
    "version": 1, "title": "too early", "kernels": ["6.12.117"],
    "blobs": {"image": {"size": 8192, "pattern": "counter"}},
    "volumes": {"vol": {"key": "erofs,demo"}}, "cookies": {"img": {"volume": "vol", "key": "demo"}},
    "setup": [{"task": "daemon", "do": "bind"}],
    "tasks": {
      "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
                 {"do": "copen", "message": "open", "blob": "image"},
                 {"do": "poll", "timeout_ms": 0}, {"do": "poll", "timeout_ms": 0},
                 {"do": "read_message", "as": "r"},
                 {"do": "pwrite", "fd": "open", "blob": "image"},
                 {"do": "complete", "message": "r", "fd": "open"}, {"do": "barrier", "name": "b"}],
      "reader": [{"do": "connect", "cookie": "img"},
                 {"do": "read", "cookie": "img", "length": 4096},
                 {"do": "barrier", "name": "b"}, {"do": "disconnect", "cookie": "img"}],
      "bystander": [{"do": "open", "as": "x"}, {"do": "settle"}]}})");
  const auto scenario = scenario::load_text(finding.path, finding.scenario.dump());
  EXPECT_TRUE(scenario) << scenario.error();
  ExploreOptions exploring;
  exploring.profile = profile();
  const ExploreResult result = explore(*scenario, exploring);
  EXPECT_FALSE(result.findings.empty());
  finding.schedule = result.findings.front().schedule;
  finding.report = result.findings.front().report;
  return finding;
}

scenario::Scenario scenario_of(const FindingFile& finding) {
  auto scenario = scenario::load_text(finding.path, finding.scenario.dump());
  EXPECT_TRUE(scenario) << scenario.error();
  return std::move(*scenario);
}

TEST(FindingFiles, ThereAndBack) {
  const FindingFile finding = find_one();
  const auto again = parse_finding("f.json", finding_text(finding));
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->scenario, finding.scenario);
  EXPECT_EQ(again->schedule, finding.schedule);
  EXPECT_EQ(again->kernel, finding.kernel);
  EXPECT_EQ(report_signature(again->report), report_signature(finding.report));
}

TEST(FindingFiles, AnythingElseIsRefused) {
  for (const char* text :
       {"", "[]", "{}", R"({"coldread_finding": 2})", R"({"coldread_finding": 1, "kernel": 3})",
        R"({"coldread_finding": 1, "kernel": "6.12.117", "path": "",
                               "schedule": "x", "report": {"kind": "", "text": ""},
                               "scenario": {}})"}) {
    const auto parsed = parse_finding("f.json", text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error(), HasSubstr("f.json: "));
  }
}

TEST(Shrink, LeavesOutWhatIsNotNeeded) {
  const FindingFile finding = find_one();
  const ShrinkOptions options{profile(), {}, 60, nullptr};
  const auto small = shrink(finding, options);
  ASSERT_TRUE(small) << small.error();
  EXPECT_FALSE(small->scenario["tasks"].contains("bystander"));
  EXPECT_LT(size_of(*small).steps, size_of(finding).steps);
  EXPECT_LE(size_of(*small).switches, size_of(finding).switches);
  EXPECT_EQ(report_signature(small->report), report_signature(finding.report));
  const auto transcript = replay(scenario_of(*small), profile(), small->schedule);
  ASSERT_TRUE(transcript.report);
  EXPECT_EQ(report_signature(*transcript.report), report_signature(finding.report));
}

TEST(Shrink, AScheduleThatLeadsNowhereIsRefused) {
  FindingFile finding = find_one();
  finding.report.text = "something else";
  const auto small = shrink(finding, {profile(), {}, 60, nullptr});
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error(), HasSubstr("/schedule"));
}

TEST(Replay, ShowsWhatIsThere) {
  const FindingFile finding = find_one();
  const scenario::Scenario scenario = scenario_of(finding);
  const Replayed end = look_at(scenario, {profile(), finding.schedule, false, {}, ""});
  ASSERT_TRUE(end.report);
  EXPECT_EQ(end.report->text, finding.report.text);
  EXPECT_FALSE(end.stopped);
  EXPECT_THAT(end.state, HasSubstr("reader                   waits: "));
  EXPECT_THAT(end.state, HasSubstr("id 1 READ of object id 0 off=0 length=4096, not read yet"));
  const std::string drawn = columns(end);
  EXPECT_THAT(drawn, HasSubstr("daemon"));
  EXPECT_THAT(drawn, HasSubstr("[copen = "));

  const Replayed first = look_at(scenario, {profile(), finding.schedule, false, 0, ""});
  EXPECT_EQ(columns(first), "") << "nobody has done anything";
  EXPECT_THAT(first.state, HasSubstr("\nrequests: none\n"));
  const Replayed early = look_at(scenario, {profile(), finding.schedule, false, 10, ""});
  EXPECT_TRUE(early.stopped);
  EXPECT_FALSE(early.report);
  EXPECT_GE(early.decisions, 10u);
  EXPECT_LT(early.decisions, end.decisions);
  const Replayed event =
      look_at(scenario, {profile(), finding.schedule, false, {}, "cachefiles_ondemand_read"});
  EXPECT_TRUE(event.stopped);
  EXPECT_THAT(event.state, HasSubstr("cachefiles_ondemand_read"));
  EXPECT_THAT(event.state, HasSubstr("all of it is a hole"));
  EXPECT_EQ(look_at(scenario, {profile(), finding.schedule, false, 10, ""}).state, early.state);
}

// However long a name is, each line has its bars where the first has them.
TEST(Replay, ColumnsAreStraight) {
  Replayed replayed;
  replayed.moments = {{0, "daemon", {"release_file", std::string(60, 'x')}, ""},
                      {1, "reader", {"fget"}, ""},
                      {2, "daemon", {}, "close = 0"}};
  std::istringstream lines(columns(replayed));
  std::string line;
  std::getline(lines, line);
  const size_t bar = line.find('|');
  while (std::getline(lines, line)) EXPECT_EQ(line.find('|'), bar) << line;
}

// A command is carried out under the cache's mutex, which is let go of with it.
TEST(Replay, ShowsWhoHoldsALock) {
  const FindingFile finding = find_one();
  const scenario::Scenario scenario = scenario_of(finding);
  const auto holds = [](const std::string& state) {
    std::istringstream lines(state);
    for (std::string line; std::getline(lines, line);)
      if (line.find(", holds cache->daemon_mutex") != line.npos) return line;
    return std::string();
  };
  const Replayed end = look_at(scenario, {profile(), finding.schedule, false, {}, ""});
  std::string held;
  for (uint64_t to = 0; to < end.decisions && held.empty(); to++)
    held = holds(look_at(scenario, {profile(), finding.schedule, false, to, ""}).state);
  EXPECT_THAT(held, testing::StartsWith("  daemon "));
  EXPECT_EQ(holds(end.state), "");
}

TEST(Shrink, AnInterruptLeavesTheSmallestSoFar) {
  const FindingFile finding = find_one();
  std::atomic<bool> stop{false};
  ShrinkOptions options{profile(), {}, 60, nullptr, &stop};
  FindingFile last;
  options.on_progress = [&](const FindingFile& smaller) {
    last = smaller;
    stop = size_of(smaller).tasks < size_of(finding).tasks;
  };
  const auto small = shrink(finding, options);
  ASSERT_TRUE(small) << small.error();
  EXPECT_EQ(size_of(*small).tasks, size_of(finding).tasks - 1);
  EXPECT_EQ(small->scenario, last.scenario);
  const auto transcript = replay(scenario_of(*small), profile(), small->schedule);
  ASSERT_TRUE(transcript.report);
  EXPECT_EQ(report_signature(*transcript.report), report_signature(finding.report));
}

// What the compiler did not fold away is named.
TEST(Replay, NamesTheModelledFunctions) {
  const FindingFile finding = find_one();
  const Replayed end = look_at(scenario_of(finding), {profile(), finding.schedule, false, {}, ""});
  bool any = false;
  for (const ReplayMoment& moment : end.moments)
    for (const std::string& function : moment.functions)
      any |= function.starts_with("cachefiles_") || function.starts_with("fscache_");
  EXPECT_TRUE(any);
}

}  // namespace
}  // namespace coldread::sim
