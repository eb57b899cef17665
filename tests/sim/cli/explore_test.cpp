// `coldread explore`, and what is done with a finding: save, merge, shrink, replay. Where results
// of long work shall go is looked at before the work.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/sim/cli/command.h"

namespace coldread::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPeaceful = R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
  "tasks": {"a": [{"do": "open"}, {"do": "close", "fd": "dev"}]}})";
// The daemon looks for the READ too early, under some schedules.
constexpr const char* kHangs = R"({
  "version": 1, "title": "too early", "kernels": ["6.1.192", "6.12.117"],
  "blobs": {"image": {"size": 8192, "pattern": "counter"}},
  "volumes": {"vol": {"key": "erofs,demo"}}, "cookies": {"img": {"volume": "vol", "key": "demo"}},
  "setup": [{"task": "daemon", "do": "bind"}],
  "tasks": {
    "daemon": [{"do": "poll"}, {"do": "read_message", "as": "open"},
               {"do": "copen", "message": "open", "blob": "image"},
               {"do": "poll", "timeout_ms": 0}, {"do": "read_message", "as": "r"},
               {"do": "pwrite", "fd": "open", "blob": "image"},
               {"do": "complete", "message": "r", "fd": "open"}, {"do": "barrier", "name": "b"}],
    "reader": [{"do": "connect", "cookie": "img"},
               {"do": "read", "cookie": "img", "length": 4096},
               {"do": "barrier", "name": "b"}, {"do": "disconnect", "cookie": "img"}]}})";

// Several uses after free, of different things, under different schedules.
constexpr const char* kSeveralReports = R"({
  "version": 1, "title": "a volume goes with its cache", "kernels": ["6.8"],
  "volumes": {"vol": {"key": "erofs,demo"}}, "cookies": {"img": {"volume": "vol", "key": "demo"}},
  "setup": [{"task": "daemon", "do": "bind"}],
  "tasks": {
    "daemon": [{"do": "barrier", "name": "both"}, {"do": "close", "fd": "dev"},
               {"do": "barrier", "name": "end"}],
    "reader": [{"do": "barrier", "name": "both"}, {"do": "connect", "cookie": "img"},
               {"do": "disconnect", "cookie": "img"}, {"do": "barrier", "name": "end"}]}})";

// The same hang, foreseen.
std::string expecting_a_hang() {
  json scenario = json::parse(kHangs);
  scenario["expect"] = {{"report", "hang"}};
  return scenario.dump();
}

class ExploreTest : public CommandTest {
 protected:
  // Of one scenario.
  json explored(const std::vector<std::string>& options) {
    std::vector<std::string> words = {"explore", "x.json", "--format", "json"};
    words.insert(words.end(), options.begin(), options.end());
    const CommandResult result = run(words);
    EXPECT_TRUE(json::accept(result.out)) << result.out << result.err;
    return json::parse(result.out, nullptr, false);
  }
};

TEST_F(ExploreTest, AFindingIsToldSavedShrunkAndReplayed) {
  write("x.json", kHangs);
  const CommandResult found = run({"explore", "x.json", "--save", "found.json"});
  EXPECT_EQ(found.exit_code, 4) << found.out << found.err;
  EXPECT_THAT(found.out, HasSubstr("FOUND: hang: "));
  EXPECT_THAT(found.out, HasSubstr("repeat: coldread run x.json --kernel 6.12.117 --schedule "));
  ASSERT_TRUE(exists("found.json"));

  const CommandResult small = run({"shrink", "found.json", "-o", "small.json"});
  EXPECT_EQ(small.exit_code, 0) << small.out << small.err;
  EXPECT_LT(read("small.json").size(), read("found.json").size());

  const CommandResult replayed = run({"replay", "small.json"});
  EXPECT_EQ(replayed.exit_code, 4) << replayed.out << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("hang: "));
}

// What is left of a schedule leads to the finding itself, not to another of its kind.
TEST_F(ExploreTest, AShortScheduleLeadsToTheSameReport) {
  write("x.json", kSeveralReports);
  for (const char* strategy : {"random", "pct", "pos"}) {
    const CommandResult found =
        run({"explore", "x.json", "--strategy", strategy, "--save", "found.json"});
    EXPECT_EQ(found.exit_code, 3) << found.out << found.err;
    const CommandResult replayed = run({"replay", "found.json"});
    EXPECT_EQ(replayed.exit_code, 3) << strategy << ": " << replayed.out << replayed.err;
  }
}

TEST_F(ExploreTest, TheRepeatCommandRepeats) {
  write("x.json", kHangs);
  const std::string out = run({"explore", "x.json"}).out;
  const size_t at = out.find("--schedule ") + std::string("--schedule ").size();
  const std::string schedule = out.substr(at, out.find('\n', at) - at);
  const std::vector<std::string> words = {"run",      "x.json",     "--kernel",
                                          "6.12.117", "--schedule", schedule};
  const CommandResult again = run(words);
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_THAT(again.out, testing::StartsWith("schedule " + schedule + ", on sim\n"));
}

TEST_F(ExploreTest, TheRepeatCommandIsForAShell) {
  write("it's here/x.json", kHangs);
  const std::string out = run({"explore", "it's here/x.json"}).out;
  const size_t at = out.find("repeat: coldread ") + std::string("repeat: coldread ").size();
  const std::string command = "\"$COLDREAD\" " + out.substr(at, out.find('\n', at) - at);
  EXPECT_EQ(run_program({"sh", "-c", command}).exit_code, 4) << command;
}

// What a scenario expects is no failure, but somebody may want to look at it.
TEST_F(ExploreTest, WhatIsExpectedIsDrawnAndSaved) {
  write("d/a.json", expecting_a_hang());
  const CommandResult expected = run({"explore", "d", "--schedules", "200", "--save", "f.json"});
  EXPECT_EQ(expected.exit_code, 0) << expected.err;
  EXPECT_THAT(expected.out, HasSubstr("expected: hang: "));
  EXPECT_THAT(expected.out, HasSubstr(" [copen = "));
  EXPECT_THAT(expected.out, HasSubstr(" 200 schedules, none bad, 1 expected; "));
  EXPECT_EQ(run({"replay", "f.json"}).exit_code, 4);
  EXPECT_EQ(json::parse(read("f.json"))["path"], "d/a.json");
  // But not if there is a finding that nobody expects.
  write("d/b.json", kHangs);
  EXPECT_EQ(run({"explore", "d", "--schedules", "200", "--save", "f.json"}).exit_code, 4);
  EXPECT_EQ(json::parse(read("f.json"))["path"], "d/b.json");
  write("d/b.json", kPeaceful);
  write("f.json", "old");
  const CommandResult nothing =
      run({"explore", "d/b.json", "--schedules", "9", "--save", "f.json"});
  EXPECT_EQ(nothing.exit_code, 0);
  EXPECT_THAT(nothing.err, HasSubstr("--save f.json: nothing was found, nothing is written"));
  EXPECT_EQ(read("f.json"), "old");
}

TEST_F(ExploreTest, SeveralScenariosAndTheirSum) {
  write("d/a.json", kPeaceful);
  write("d/b.json", kHangs);
  write("d/c.json", kPeaceful);
  const CommandResult result = run({"explore", "d", "--schedules", "200"});
  EXPECT_EQ(result.exit_code, 4) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("d/a.json on 6.12.117: 200 schedules, none bad; "));
  EXPECT_THAT(result.out, HasSubstr("d/b.json on 6.12.117: "));
  EXPECT_THAT(result.out, HasSubstr("d/c.json on 6.12.117: 200 schedules, none bad; "));
  EXPECT_THAT(result.out, HasSubstr("3 scenarios: "));
  EXPECT_THAT(result.out, HasSubstr(" schedules, 1 found, 0 expected; "));
}

TEST_F(ExploreTest, PartsAddUpToTheWhole) {
  write("x.json", kHangs);
  const std::vector<std::string> options = {"--schedules", "400", "--keep-going"};
  const json whole = explored(options);
  for (const char* part : {"0/2", "1/2"}) {
    std::vector<std::string> words = {"explore", "x.json", "--format", "json", "--shard", part};
    words.insert(words.end(), options.begin(), options.end());
    write(std::string(1, part[0]) + ".json", run(words).out);
  }
  const CommandResult merged = run({"merge", "0.json", "1.json", "--format", "json"});
  EXPECT_EQ(merged.exit_code, 4) << merged.out << merged.err;
  const json sum = json::parse(merged.out);
  for (const char* member : {"schedules", "decisions", "outcomes", "findings", "states"})
    EXPECT_EQ(sum[member], whole[member]) << member;
  EXPECT_EQ(sum["done"], json({0, 1}));
  EXPECT_THAT(run({"merge", "0.json"}).out, HasSubstr("x.json on 6.12.117, shard 0 of 2: "));

  const CommandResult twice = run({"merge", "0.json", "0.json"});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, HasSubstr("0.json: line 1: x.json: shard 0 is there twice"));
}

TEST_F(ExploreTest, WhatCannotBeMerged) {
  write("x.json", kPeaceful);
  json part = explored({"--schedules", "10", "--shard", "0/2"});
  const auto error_of = [&](const json& changed) {
    write("bad.json", changed.dump());
    const CommandResult result = run({"merge", "bad.json"});
    EXPECT_EQ(result.exit_code, 2) << result.out;
    return result.err;
  };
  json changed = part;
  changed["schedules"] = "many";
  EXPECT_THAT(error_of(changed),
              HasSubstr("bad.json: line 1: /schedules: expected a whole number"));
  changed = part;
  changed["done"] = {2};
  EXPECT_THAT(error_of(changed), HasSubstr("/done/0: expected"));
  changed = part;
  changed["states_seen"] = "short";
  EXPECT_THAT(error_of(changed), HasSubstr("/states_seen: expected what `explore --shard` wrote"));
  changed = part;
  changed["kernel"] = "2.4";
  EXPECT_THAT(error_of(changed), HasSubstr("/kernel: expected a profile"));
  changed = part;
  changed["outcomes"] = {{"x", part["outcomes"].begin().value()}};
  EXPECT_THAT(error_of(changed), HasSubstr("/outcomes/x: expected an outcome's name"));
  write("bad.json", "{");
  EXPECT_EQ(run({"merge", "bad.json"}).exit_code, 2);
  write("bad.json", "");
  EXPECT_EQ(run({"merge", "bad.json"}).exit_code, 2) << "a machine that had no room for its answer";
  EXPECT_EQ(run({"merge", "missing.json"}).exit_code, 2);
  EXPECT_THAT(run({"merge", "."}).err, HasSubstr(".: cannot be read: is a directory"));
}

// Each error names the file that was given, and what is wrong where.
TEST_F(ExploreTest, WhatIsNoFinding) {
  write("x.json", kHangs);
  run({"explore", "x.json", "--save", "found.json"});
  const auto error_of = [&](const std::string& text) {
    write("bad.json", text);
    const CommandResult shrunk = run({"shrink", "bad.json", "-o", "small.json"});
    EXPECT_EQ(shrunk.exit_code, 2) << shrunk.out;
    EXPECT_THAT(shrunk.err, testing::StartsWith("coldread: bad.json: "));
    return shrunk.err;
  };
  const std::string text = read("found.json");
  EXPECT_THAT(error_of(""), HasSubstr("line 1, column 1: expected JSON"));
  EXPECT_THAT(error_of(text.substr(0, text.size() / 2)), HasSubstr(": expected JSON, got "));
  json finding = json::parse(text);
  finding["report"]["text"] = "something else";
  EXPECT_THAT(error_of(finding.dump()),
              HasSubstr("/schedule: expected one that leads to the report"));
  for (const char* command : {"shrink", "replay"}) {
    const CommandResult directory = run({command, "."});
    EXPECT_EQ(directory.exit_code, 2);
    EXPECT_THAT(directory.err, HasSubstr("coldread: .: cannot be read: is a directory"));
  }
}

// Each part would try all, and their sum would count all of it twice.
TEST_F(ExploreTest, OneSearchOfAllIsNotSplit) {
  write("x.json", kPeaceful);
  const CommandResult result = run({"explore", "x.json", "--strategy", "dfs", "--shard", "0/2"});
  EXPECT_EQ(result.exit_code, 2) << result.out;
  EXPECT_THAT(result.err, HasSubstr("--shard: expected another strategy"));
  EXPECT_EQ(run({"explore", "x.json", "--strategy", "dfs", "--shard", "0/1", "--preemptions", "0"})
                .exit_code,
            0);
}

TEST_F(ExploreTest, AFindingThatCouldNotBeSavedIsNotLookedFor) {
  write("x.json", kHangs);
  const CommandResult result = run({"explore", "x.json", "--save", "missing/found.json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("--save missing/found.json: cannot write: "));
  EXPECT_EQ(run({"explore", "x.json", "--schedules", "1", "--save", "found.json"}).exit_code, 0);
  EXPECT_FALSE(exists("found.json")) << "only asked for";
}

TEST_F(ExploreTest, NoKernelIsAskedWhatCouldNotBeWrittenDown) {
  write("x.json", kPeaceful);
  write("file", "");
  const CommandResult result = run({"record", "x.json", "--into", "file/below"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("--into file/below: "));
}

TEST_F(ExploreTest, ChangesPutInAndTakenOut) {
  write("x.json", kHangs);
  const CommandResult result =
      run({"explore", "x.json", "--without", "msg-id-cyclic", "--save", "found.json"});
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.out, HasSubstr("--kernel 6.12.117 --without msg-id-cyclic --schedule "));
  EXPECT_EQ(json::parse(read("found.json"))["without"], json({"msg-id-cyclic"}));
  EXPECT_EQ(run({"replay", "found.json"}).exit_code, 4);

  const CommandResult unknown = run({"explore", "x.json", "--with", "nonsense"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("--with nonsense: no such change; there are: "));
}

// --- Ctrl-C: what there is by then is told ---

TEST_F(ExploreTest, AnInterruptedPartSaysSo) {
  write("x.json", kPeaceful);
  const std::vector<std::string> options = {"--schedules", "1000000000000", "--format", "json"};
  for (const char* part : {"0/2", "1/2"}) {
    std::vector<std::string> words = {"explore", "x.json", "--shard", part};
    words.insert(words.end(), options.begin(), options.end());
    const CommandResult result = interrupt(words);
    EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
    EXPECT_EQ(json::parse(result.out)["interrupted"], true);
    write(std::string(1, part[0]) + ".json", result.out);
  }
  EXPECT_FALSE(explored({"--schedules", "10"}).contains("interrupted"));

  const CommandResult text = run({"merge", "0.json", "1.json"});
  EXPECT_EQ(text.exit_code, 130);
  EXPECT_THAT(text.out, HasSubstr(" schedules, interrupted, none bad; "));
  EXPECT_EQ(json::parse(run({"merge", "0.json", "1.json", "--format", "json"}).out)["interrupted"],
            true);
  json bad = json::parse(read("0.json"));
  bad["interrupted"] = 1;
  write("bad.json", bad.dump());
  EXPECT_THAT(run({"merge", "bad.json"}).err, HasSubstr("/interrupted: expected"));
}

TEST_F(ExploreTest, AnInterruptedCheckSaysHowFarItCame) {
  write("x.json", kPeaceful);
  const CommandResult result =
      interrupt({"explore", "x.json", "--check", "--schedules", "1000000000000"});
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_THAT(result.out, HasSubstr(" schedules played twice, interrupted: the same states"));
}

TEST_F(ExploreTest, AnInterruptedShrinkLeavesTheSmallestSoFar) {
  write("x.json", kHangs);
  run({"explore", "x.json", "--save", "found.json"});
  const CommandResult result =
      interrupt({"shrink", "found.json", "-o", "small.json", "--schedules", "1000000000"});
  EXPECT_EQ(result.exit_code, 130) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("; interrupted: it may become smaller"));
  EXPECT_EQ(run({"replay", "small.json"}).exit_code, 4);
}

// --- replay stops where it is told to, or says that this never came ---

TEST_F(ExploreTest, ReplayThatCannotStopWhereItShallSaysSo) {
  write("x.json", kHangs);
  run({"explore", "x.json", "--save", "found.json"});
  const CommandResult decision = run({"replay", "found.json", "--to", "123456"});
  EXPECT_EQ(decision.exit_code, 2);
  EXPECT_THAT(decision.err, HasSubstr("found.json: expected to stop at decision 123456, but the "
                                      "run ended after "));
  for (const char* number : {"-1", "18446744073709551616", "ten"}) {
    EXPECT_EQ(run({"replay", "found.json", "--to", number}).err,
              std::string("coldread: --to: expected a number from 0 to 2^64 - 1, got ") + number +
                  "\nTry: coldread replay --help\n");
  }
  const CommandResult event = run({"replay", "found.json", "--until", "no such event"});
  EXPECT_EQ(event.exit_code, 2);
  EXPECT_THAT(event.err, HasSubstr("expected to stop at an event with \"no such event\""));
  EXPECT_EQ(run({"replay", "found.json", "--until", "cachefiles_ondemand_open"}).exit_code, 0);
}

}  // namespace
}  // namespace coldread::cli
