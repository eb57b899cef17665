// `coldread run` from outside: exit codes, formats, order, side files.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/sim/cli/command.h"

namespace coldread::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class RunTest : public CommandTest {};

TEST_F(RunTest, SeedAndStrategyComeFirst) {
  write("x.json", passing_scenario());
  EXPECT_THAT(run({"run", "x.json"}).out, StartsWith("seed 1, strategy fifo, on sim\n"));
  EXPECT_THAT(run({"run", "x.json", "--seed", "18446744073709551615", "--strategy", "random"}).out,
              StartsWith("seed 18446744073709551615, strategy random, on sim\n"));
}

TEST_F(RunTest, EveryListedProfileIsRun) {
  write("x.json", passing_scenario());
  const CommandResult result = run({"run", "x.json"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("ok     x.json  6.1.192\nok     x.json  6.12.117\n"));
  EXPECT_THAT(result.out, HasSubstr("2 run: 2 passed\n"));
}

TEST_F(RunTest, AWrongAnswer) {
  write("x.json", failing_scenario());
  const CommandResult result = run({"run", "x.json", "--kernel", "6.12.117", "--seed", "5"});
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("FAIL   x.json  6.12.117\n"));
  EXPECT_THAT(result.out, HasSubstr("/tasks/a/0/expect"));
  EXPECT_THAT(result.out, HasSubstr("expected  "));
  EXPECT_THAT(result.out, HasSubstr("ENOENT"));
  EXPECT_THAT(
      result.out,
      HasSubstr("repeat: coldread run x.json --kernel 6.12.117 --seed 5 --strategy fifo\n"));
}

TEST_F(RunTest, AScenarioThatCanNeverFinish) {
  write("x.json", hanging_scenario());
  const CommandResult result = run({"run", "x.json", "--kernel", "6.12.117"});
  EXPECT_EQ(result.exit_code, 4) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("HANG   x.json  6.12.117\n"));
  EXPECT_THAT(result.out, HasSubstr("report: hang: "));
  // Who waits for what.
  EXPECT_THAT(result.out, testing::ContainsRegex("\n  +a.* wait"));
}

TEST_F(RunTest, AnExpectedReportIsAPass) {
  write("x.json", R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
    "tasks": {"a": [{"do": "bind"}, {"do": "poll", "expect": {"waits": true}}]},
    "expect": {"report": "hang"}})");
  const CommandResult result = run({"run", "x.json"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST_F(RunTest, SkipsAreSeenAndCounted) {
  write("x.json", R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
                      "tasks": {"a": [{"do": "settle"}]}})");
  const CommandResult other = run({"run", "x.json", "--kernel", "6.1.192"});
  EXPECT_EQ(other.exit_code, 77);
  EXPECT_THAT(other.out,
              HasSubstr("skip   x.json  6.1.192: the scenario does not list this profile"));
  EXPECT_THAT(other.out, HasSubstr("1 run: 0 passed, 1 skipped"));

  write("y.json", R"({"version": 1, "title": "t", "kernels": ["6.12.117"],
                      "blobs": {"b": {"file": "not-made-by-any-build.bin"}},
                      "tasks": {"a": [{"do": "settle"}]}})");
  const CommandResult missing = run({"run", "y.json"});
  EXPECT_EQ(missing.exit_code, 77);
  EXPECT_THAT(missing.out, HasSubstr("not-made-by-any-build.bin"));
  // Something ran: not everything was skipped.
  write("z.json", passing_scenario());
  EXPECT_EQ(run({"run", "x.json", "z.json", "--kernel", "6.1.192"}).exit_code, 0);
}

TEST_F(RunTest, TheWorstResultIsTheExitCode) {
  write("pass.json", passing_scenario());
  write("fail.json", failing_scenario());
  write("hang.json", hanging_scenario());
  write("bad.json", "{");
  EXPECT_EQ(run({"run", "pass.json", "fail.json"}).exit_code, 1);
  EXPECT_EQ(run({"run", "pass.json", "fail.json", "hang.json"}).exit_code, 4);
  EXPECT_EQ(run({"run", "."}).exit_code, 2);
}

TEST_F(RunTest, SameSeedSameBytesForAnyNumberOfJobs) {
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    write(std::string("s/") + name + ".json", passing_scenario());
  }
  write("s/d/fail.json", failing_scenario());
  write("s/d/hang.json", hanging_scenario());
  for (const char* format : {"text", "json", "junit"}) {
    const auto once = [&](const char* jobs) {
      const CommandResult result = run({"run", "s", "--strategy", "random", "--seed", "3", "--jobs",
                                        jobs, "--format", format, "--trace", "trace"});
      return result.out + read("trace");
    };
    const std::string first = once("1");
    EXPECT_EQ(first, once("1"));
    EXPECT_EQ(first, once("5"));
  }
}

TEST_F(RunTest, ScenariosAreFoundRecursivelyOrderedFilteredOnce) {
  write("s/b/two.json", passing_scenario());
  write("s/a.json", passing_scenario());
  write("s/scenario.schema.json", "{}");
  write("s/notes.txt", "no scenario");
  const auto names = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--kernel", "6.12.117", "--format", "json"});
    std::vector<std::string> found;
    const json results = json::parse(run(arguments).out)["results"];
    for (const json& result : results) found.push_back(result["scenario"]);
    return found;
  };
  using testing::ElementsAre;
  EXPECT_THAT(names({"run", "s"}), ElementsAre("s/a.json", "s/b/two.json"));
  EXPECT_THAT(names({"run", "s", "s/a.json"}), ElementsAre("s/a.json", "s/b/two.json"));
  EXPECT_THAT(names({"run", "s", "--filter", "two"}), ElementsAre("s/b/two.json"));
  EXPECT_THAT(names({"run", "s", "--filter", "t?o.json"}), ElementsAre("s/b/two.json"));
  // `scenarios` below the current directory is what is meant when nothing is named.
  write("scenarios/here.json", passing_scenario());
  EXPECT_THAT(names({"run"}), ElementsAre("scenarios/here.json"));
}

TEST_F(RunTest, Json) {
  write("fail.json", failing_scenario());
  write("pass.json", passing_scenario());
  const CommandResult result = run({"run", ".", "--kernel", "6.12.117", "--format", "json"});
  EXPECT_EQ(result.exit_code, 1);
  const json document = json::parse(result.out);
  EXPECT_EQ(document["seed"], 1);
  EXPECT_EQ(document["summary"]["passed"], 1);
  EXPECT_EQ(document["summary"]["failed"], 1);
  EXPECT_EQ(document["results"][0]["verdict"], "failed");
  EXPECT_EQ(document["results"][0]["mismatches"][0]["pointer"], "/tasks/a/0/expect");
  EXPECT_THAT(document["results"][0]["repeat"].get<std::string>(), StartsWith("coldread run "));
  EXPECT_EQ(document["results"][1]["verdict"], "passed");
  EXPECT_THAT(result.out, StartsWith("{\n  \"seed\": 1,"));
}

TEST_F(RunTest, JunitIsWellFormedWhateverTheNamesAre) {
  write("a<b>&\"c'.json", failing_scenario());
  write("control\x01.json", failing_scenario());
  write("latin\xe9.json", passing_scenario());
  write("bad.json", "{\"<&>\"");
  const CommandResult result = run({"run", ".", "--format", "junit"});
  EXPECT_EQ(result.exit_code, 2);
  write("out.xml", result.out);
  const CommandResult parsed =
      run_program({"python3", "-c",
                   "import xml.etree.ElementTree as e; r = e.parse('out.xml').getroot();"
                   "print(len(r.findall('.//testcase')), len(r.findall('.//failure')),"
                   " len(r.findall('.//error')), r.get('failures'))"});
  EXPECT_EQ(parsed.err, "");
  EXPECT_EQ(parsed.out, "7 4 1 4\n");
}

TEST_F(RunTest, ATraceIsWrittenWholeOrNotAtAll) {
  write("x.json", passing_scenario());
  EXPECT_EQ(run({"run", "x.json", "--trace", "t"}).exit_code, 0);
  // ftrace's lines: task-pid, cpu, flags, seconds, event.
  EXPECT_THAT(read("t"),
              testing::ContainsRegex("-[0-9]+ +\\[[0-9]{3}\\] .* [0-9]+\\.[0-9]{6}: [a-z_]+: "));
  write("t", "before");
  EXPECT_EQ(run({"run", "x.json", "--trace", "t", "--filter", "nothing"}).exit_code, 2);
  EXPECT_EQ(read("t"), "before");
  EXPECT_THAT(all_files(), testing::ElementsAre("t", "x.json"));
}

TEST_F(RunTest, TranscriptsAreWrittenByPathAndProfile) {
  write("s/x.json", passing_scenario());
  EXPECT_EQ(run({"run", "s", "--transcripts", "t"}).exit_code, 0);
  EXPECT_THAT(all_files(),
              testing::ElementsAre("s/x.json", "t/s/x.6.1.192.json", "t/s/x.6.12.117.json"));
  EXPECT_TRUE(json::parse(read("t/s/x.6.12.117.json"))["tasks"].contains("a"));
}

TEST_F(RunTest, VerboseShowsStepsAsTheyGo) {
  write("x.json", passing_scenario());
  const CommandResult result = run({"run", "x.json", "-v", "--kernel", "6.12.117"});
  EXPECT_THAT(result.out, testing::ContainsRegex("a: open = .*\n(.*\n)*ok     x.json"));
  // In other formats standard output is for the results alone.
  const CommandResult other = run({"run", "x.json", "-v", "--format", "json"});
  EXPECT_TRUE(json::accept(other.out));
  EXPECT_THAT(other.err, HasSubstr("a: open = "));
}

// The command's output goes into a pipe, so it waits for the reader long before it is done: when
// the first byte is there the signal is caught, and most of the scenarios are still to come.
TEST_F(RunTest, AnInterruptedRunPrintsWhatItHas) {
  for (int i = 0; i < 300; ++i) write(fmt::format("s/{:03}.json", i), failing_scenario());
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    if (chdir((directory_ / "w").c_str()) == 0) {
      execl(getenv("COLDREAD"), "coldread", "run", "s", "--jobs", "1", nullptr);
    }
    _exit(127);
  }
  close(ends[1]);
  std::string out(1, '\0');
  ASSERT_EQ(::read(ends[0], out.data(), 1), 1);
  ASSERT_EQ(kill(child, SIGINT), 0);
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    out.append(buffer.data(), static_cast<size_t>(n));
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 130) << status;
  EXPECT_THAT(out, StartsWith("seed 1, strategy fifo, on sim\n"));
  EXPECT_THAT(out, testing::ContainsRegex("\ninterrupted; [0-9]+ run: 0 passed"));
  EXPECT_THAT(out, testing::Not(HasSubstr("s/299.json")));
}

// No kernel needs to be there for these.
TEST_F(RunTest, WhatNoRealKernelCanPlayIsNotExpressible) {
  write("x.json", R"({"version": 1, "title": "t", "kernels": ["rfc-v8"],
                      "tasks": {"a": [{"do": "settle"}]}})");
  const CommandResult result =
      run({"run", "x.json", "--on", "kernel", "--compare", "--format", "json"});
  EXPECT_EQ(result.exit_code, 77) << result.out << result.err;
  const json document = json::parse(result.out);
  EXPECT_EQ(document["summary"]["not_expressible"], 1);
  EXPECT_EQ(document["summary"]["agree"], 0);
  EXPECT_EQ(document["summary"]["differ"], 0);
  EXPECT_EQ(document["results"][0]["agreement"], "not_expressible");
}

TEST_F(RunTest, WithoutAKernelItSaysWhyItSkips) {
  write("x.json", passing_scenario());
  const CommandResult result = run_program({"env", "COLDREAD_KERNEL_CACHE=/proc/nowhere",
                                            getenv("COLDREAD"), "run", "x.json", "--on", "kernel"});
  EXPECT_EQ(result.exit_code, 77) << result.out << result.err;
  // A sanitized program has no room in a guest, which it says first.
  EXPECT_THAT(result.out, HasSubstr("skip   x.json  6.12.117: "));
  EXPECT_THAT(result.out, testing::AnyOf(HasSubstr("/proc/nowhere is not writable"),
                                         HasSubstr("AddressSanitizer")));
}

TEST_F(RunTest, ResultsThatCannotBeWrittenAreAnError) {
  write("x.json", passing_scenario());
  const std::string command = std::string(getenv("COLDREAD")) + " run x.json > /dev/full";
  EXPECT_EQ(run_program({"sh", "-c", command}).exit_code, 5);
}

}  // namespace
}  // namespace coldread::cli
