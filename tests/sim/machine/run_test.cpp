// Whole runs on the model: deterministic, honest about what went wrong, and indifferent to who
// looks.
#include "sim/machine/run.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "sim/player/check.h"
#include "sim/scenario/loader.h"

namespace coldread::sim {
namespace {

scenario::Scenario load(const std::string& name) {
  auto loaded = scenario::load_file(std::string(std::getenv("COLDREAD_SCENARIOS")) + "/" + name);
  if (!loaded) ADD_FAILURE() << loaded.error();
  return loaded ? *loaded : scenario::Scenario();
}

scenario::Scenario parse(const std::string& text) {
  auto loaded = scenario::load_text("test.json", text);
  if (!loaded) ADD_FAILURE() << loaded.error();
  return loaded ? *loaded : scenario::Scenario();
}

struct Traced {
  std::string transcript;
  std::vector<std::string> lines;
  uint64_t steps = 0;
};

Traced run_traced(const scenario::Scenario& scenario, Strategy strategy, uint64_t seed) {
  Traced traced;
  RunOptions options;
  options.strategy = strategy;
  options.seed = seed;
  options.on_trace = [&](std::string_view line) { traced.lines.emplace_back(line); };
  const RunResult result = run(scenario, options);
  traced.transcript = result.transcript.to_json().dump();
  traced.steps = result.steps;
  return traced;
}

// A cold read by hand, wrapped around what a test wants the daemon to do with READ.
std::string cold_read(const std::string& daemon_steps) {
  return R"({"version": 1, "title": "t", "story": "s", "kernels": ["6.12.117"],
    "blobs": {"image": {"size": 65536, "pattern": "counter"}},
    "volumes": {"v": {"key": "v"}}, "cookies": {"c": {"volume": "v", "key": "k"}},
    "setup": [{"task": "daemon", "do": "bind"}, {"task": "reader", "do": "connect", "cookie": "c"}],
    "tasks": {
      "reader": [{"do": "read", "cookie": "c", "length": 8192}],
      "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
        {"do": "copen", "message": "open", "size": 65536}, )" +
         daemon_steps + "]}}";
}

TEST(Run, TheSameSeedGivesTheSameBytes) {
  const scenario::Scenario scenario = load("3-read/two-readers-one-hole.json");
  for (uint64_t seed = 1; seed <= 20; seed++) {
    const Traced first = run_traced(scenario, Strategy::random, seed);
    const Traced second = run_traced(scenario, Strategy::random, seed);
    EXPECT_EQ(first.transcript, second.transcript);
    EXPECT_EQ(first.lines, second.lines);
    EXPECT_EQ(first.steps, second.steps);
  }
}

TEST(Run, SeedsDiffer) {
  const scenario::Scenario scenario = load("3-read/two-readers-one-hole.json");
  const Traced fifo = run_traced(scenario, Strategy::fifo, 0);
  EXPECT_NE(run_traced(scenario, Strategy::random, 1).lines, fifo.lines);
  EXPECT_NE(run_traced(scenario, Strategy::random, 2).lines,
            run_traced(scenario, Strategy::random, 1).lines);
}

TEST(Run, WhoTracesChangesNothing) {
  const scenario::Scenario scenario = load("3-read/cold-read.json");
  RunOptions options;
  options.strategy = Strategy::random;
  options.seed = 7;
  const RunResult plain = run(scenario, options);
  const Traced traced = run_traced(scenario, Strategy::random, 7);
  EXPECT_EQ(plain.transcript.to_json().dump(), traced.transcript);
  EXPECT_EQ(plain.steps, traced.steps);
}

TEST(Run, TraceLinesAreFtraces) {
  const Traced traced = run_traced(load("3-read/cold-read.json"), Strategy::fifo, 0);
  bool found = false;
  for (const std::string& line : traced.lines) {
    found = found || line ==
                         "          daemon-1       [000] .....     0.000000: "
                         "cachefiles_ondemand_copen: o=00000001 mid=0 l=100000";
  }
  EXPECT_TRUE(found);
}

TEST(Run, AHangNamesWhoWaitsForWhat) {
  RunOptions options;
  const RunResult result = run(parse(cold_read(R"({"do": "settle"})")), options);
  ASSERT_FALSE(result.transcript.report.has_value()) << "closing the device answers the READ";

  const RunResult hung = run(
      parse(cold_read(R"({"do": "poll"}, {"do": "read_message", "as": "read"}, {"do": "poll"})")),
      options);
  ASSERT_TRUE(hung.transcript.report.has_value());
  EXPECT_EQ(hung.transcript.report->kind, "hang");
  const std::vector<std::string> expected = {"reader waits: completion req->done",
                                             "daemon waits: poll /dev/cachefiles"};
  EXPECT_EQ(hung.transcript.report->details, expected);
  EXPECT_EQ(hung.transcript.tasks.at("reader").back()["waits"], true);
  EXPECT_TRUE(hung.transcript.disk.is_null());
  EXPECT_FALSE(hung.last_events.at("daemon").empty());
}

TEST(Run, BytesThatNobodyWroteAreNoticed) {
  const std::string steps =
      R"({"do": "settle"}, {"do": "poll"}, {"do": "read_message", "as": "read"},
         {"do": "pwrite", "fd": "open", "blob": "image", "length": 512},
         {"do": "pwrite", "fd": "open", "offset": 4096, "blob": "image", "length": 4096},
         {"do": "complete", "message": "read"}, {"do": "settle"})";
  const RunResult result = run(parse(cold_read(steps)), RunOptions());
  ASSERT_TRUE(result.transcript.report.has_value());
  EXPECT_EQ(result.transcript.report->kind, "unwritten-data");
  EXPECT_EQ(result.transcript.tasks.at("reader").back()["ret"], 8192) << "the run went on";
}

// As both recorded kernels answer: a file that is open for writing keeps its file system so.
TEST(Run, ADiskWithOpenFilesCannotBecomeReadOnly) {
  const RunResult result = run(parse(cold_read(R"({"do": "settle"},
      {"do": "disk", "op": "remount", "read_only": true, "expect": "EBUSY"},
      {"do": "serve", "blobs": {"k": "image"}})")),
                               RunOptions());
  EXPECT_FALSE(result.transcript.report.has_value());
  EXPECT_EQ(result.transcript.tasks.at("daemon").at(8)["errno"], "EBUSY")
      << result.transcript.to_json().dump(2);
}

TEST(Run, AllOfItIsGivenBackAtTheEnd) {
  // Nothing is relinquished by the scenario: the end of the run does, and nothing may be left.
  const RunResult result =
      run(parse(cold_read(R"({"do": "serve", "blobs": {"k": "image"}})")), RunOptions());
  EXPECT_FALSE(result.transcript.report.has_value());
  EXPECT_TRUE(result.transcript.disk.contains("cache/Iv"));
}

TEST(Run, RecordsAreShownAsTheyAreCompleted) {
  std::vector<std::string> seen;
  RunOptions options;
  options.on_record = [&](const std::string& task, const player::Record& record) {
    seen.push_back(task + " " + record["do"].get<std::string>());
  };
  run(load("1-open/size-is-rounded.json"), options);
  ASSERT_GT(seen.size(), 4u);
  EXPECT_EQ(seen.front(), "daemon open");
  EXPECT_EQ(seen.back(), "daemon lseek");
}

}  // namespace
}  // namespace coldread::sim
