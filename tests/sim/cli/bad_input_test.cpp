// Whatever is wrong with the input: one clear error that names the file, exit code 2, nothing left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/sim/cli/command.h"

namespace coldread::cli {
namespace {

using testing::HasSubstr;

class BadInputTest : public CommandTest {
 protected:
  // Runs x.json with this text; expects exactly one line of error, which says all of `words`.
  void expect_refused(const std::string& text, const std::vector<std::string>& words) {
    write("x.json", text);
    const CommandResult result = run({"run", "x.json"});
    EXPECT_EQ(result.exit_code, 2) << text << "\n" << result.out << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr("x.json"));
    for (const std::string& word : words) EXPECT_THAT(result.err, HasSubstr(word)) << text;
  }

  // The same for a whole scenario with one member replaced or added.
  static std::string with(const std::string& member) {
    return R"({"version": 1, "title": "t", "kernels": ["6.12.117"], )" + member + "}";
  }
};

TEST_F(BadInputTest, MalformedJson) {
  expect_refused("{", {"line 1"});
  expect_refused("", {});
  expect_refused("{\"version\": 1,,}", {"line 1"});
  expect_refused("[1, 2", {});
  expect_refused("\xff\xfe{}", {});
  expect_refused(std::string("{\0}", 3), {});
  expect_refused(std::string(200'000, '['), {});
}

TEST_F(BadInputTest, SchemaViolations) {
  expect_refused("{}", {"version"});
  expect_refused("[]", {});
  expect_refused(R"({"version": 2})", {"/version"});
  expect_refused(with(R"("tasks": {})"), {"/tasks"});
  expect_refused(with(R"("tasks": {"a": [{"do": "frobnicate"}]})"), {"/tasks/a/0", "frobnicate"});
  expect_refused(with(R"("tasks": {"a": [{"do": "sleep"}]})"), {"/tasks/a/0", "ms"});
  expect_refused(with(R"("tasks": {"a": [{"do": "settle", "speed": 3}]})"),
                 {"/tasks/a/0", "speed"});
  expect_refused(with(R"("tasks": {"a": [{"do": "sleep", "ms": -1}]})"), {"/tasks/a/0/ms"});
}

TEST_F(BadInputTest, UnknownNames) {
  expect_refused(R"({"version": 1, "title": "t", "kernels": ["9.9"],
                     "tasks": {"a": [{"do": "settle"}]}})",
                 {"/kernels/0", "9.9"});
  expect_refused(with(R"("tasks": {"a": [{"do": "use_cookie", "cookie": "c"}]})"),
                 {"/tasks/a/0/cookie"});
  expect_refused(with(R"("tasks": {"a": [{"do": "open", "expect": "ENOSUCH"}]})"),
                 {"/tasks/a/0/expect", "ENOSUCH"});
  expect_refused(with(R"("tasks": {"a": [{"do": "kill", "process": "b"}]})"), {"/tasks/a/0"});
}

TEST_F(BadInputTest, DuplicateKeys) {
  expect_refused(with(R"("tasks": {"a": [{"do": "settle"}], "a": [{"do": "settle"}]})"),
                 {"/tasks/a"});
}

TEST_F(BadInputTest, AbsurdSizes) {
  expect_refused(with(R"("blobs": {"b": {"pattern": "zeros", "size": 99999999999999}},
                         "tasks": {"a": [{"do": "settle"}]})"),
                 {"/blobs/b"});
  expect_refused(with(R"("blobs": {"b": {"pattern": "zeros", "size": 1e300}},
                         "tasks": {"a": [{"do": "settle"}]})"),
                 {"/blobs/b"});
  expect_refused(with(R"("cache_bytes": 123456789012345678901234567890,
                         "tasks": {"a": [{"do": "settle"}]})"),
                 {"cache_bytes"});
}

TEST_F(BadInputTest, BarrierCycles) {
  expect_refused(with(R"("tasks": {
      "a": [{"do": "barrier", "name": "x"}, {"do": "barrier", "name": "y"}],
      "b": [{"do": "barrier", "name": "y"}, {"do": "barrier", "name": "x"}]})"),
                 {"/tasks/", "barrier"});
}

TEST_F(BadInputTest, UnreadableFiles) {
  EXPECT_EQ(run({"run", "nothing.json"}).exit_code, 2);
  EXPECT_THAT(run({"run", "nothing.json"}).err, HasSubstr("nothing.json: no such file"));

  // Opens, but every read fails: for root too.
  std::filesystem::create_symlink("/proc/self/mem", directory_ / "w" / "broken.json");
  const CommandResult broken = run({"run", "broken.json"});
  EXPECT_EQ(broken.exit_code, 2);
  EXPECT_THAT(broken.err, HasSubstr("broken.json"));

  std::filesystem::create_directory(directory_ / "w" / "d");
  std::filesystem::create_symlink("nowhere", directory_ / "w" / "d" / "dangling.json");
  const CommandResult dangling = run({"run", "d"});
  EXPECT_EQ(dangling.exit_code, 2);
  EXPECT_THAT(dangling.err, HasSubstr("d/dangling.json"));

  EXPECT_EQ(run({"run", "/dev/zero"}).exit_code, 2);
  std::filesystem::create_directory(directory_ / "w" / "empty");
  EXPECT_EQ(run({"run", "empty"}).exit_code, 2);
}

TEST_F(BadInputTest, OneBadFileDoesNotHideTheOthers) {
  write("s/a.json", passing_scenario());
  write("s/b.json", "{");
  write("s/c.json", passing_scenario());
  const CommandResult result = run({"run", "s"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.out, HasSubstr("ok     s/a.json"));
  EXPECT_THAT(result.out, HasSubstr("ok     s/c.json"));
  EXPECT_THAT(result.out, HasSubstr("4 passed, 1 with bad input"));
  EXPECT_THAT(result.err, HasSubstr("s/b.json"));
}

TEST_F(BadInputTest, FullDiskUnderTrace) {
  write("x.json", passing_scenario());
  const CommandResult result = run({"run", "x.json", "--trace", "/dev/full"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("/dev/full: cannot write: No space left on device"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST_F(BadInputTest, PlacesThatCannotBeWritten) {
  write("x.json", passing_scenario());
  EXPECT_EQ(run({"run", "x.json", "--trace", "no/such/place"}).exit_code, 2);
  EXPECT_EQ(run({"run", "x.json", "--trace", "."}).exit_code, 2);
  EXPECT_EQ(run({"run", "x.json", "--transcripts", "x.json"}).exit_code, 2);
  EXPECT_THAT(all_files(), testing::ElementsAre("x.json"));
}

// Results that are nowhere are none, however few they are.
TEST_F(BadInputTest, FullDiskUnderTheOutput) {
  write("x.json", passing_scenario());
  for (const std::string command : {"explore x.json --schedules 1", "bugs poll-lock", "run x.json",
                                    "profiles --diff 6.12 6.12", "explore x.json --check"}) {
    const CommandResult result =
        run_program({"sh", "-c", "\"$COLDREAD\" " + command + " > /dev/full"});
    EXPECT_EQ(result.exit_code, 5) << command;
    EXPECT_THAT(result.err, testing::StartsWith("coldread: ")) << command;
  }
}

TEST_F(BadInputTest, CommandLines) {
  write("x.json", passing_scenario());
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"frobnicate"},
      {"run", "x.json", "--frobnicate"},
      {"run", "x.json", "--on", "mars"},
      {"run", "x.json", "--kernel", "9.9"},
      {"run", "x.json", "--without", "msg-id"},
      {"run", "x.json", "--with", "nonsense"},
      {"run", "x.json", "--on", "fuse", "--without", "msg-id-cyclic"},
      {"run", "x.json", "--on", "kernel", "--without", "poll-lock"},
      {"run", "x.json", "--on", "kernel", "--without", "msg-id-cyclic", "--without", "poll-lock"},
      {"run", "x.json", "--on", "kernel", "--with", "msg-id-cyclic"},
      {"profiles", "--diff", "6.1", "9.9"},
      {"profiles", "--diff", "6.1"},
      {"bugs", "no-such-bug"},
      {"bugs", "--schedules", "0"},
      {"run", "x.json", "--seed", "-1"},
      {"run", "x.json", "--seed", "18446744073709551616"},
      {"run", "x.json", "--seed", "seven"},
      {"explore", "x.json", "--seed", "-1"},
      {"explore", "x.json", "--seed", "18446744073709551616"},
      {"explore", "x.json", "--time", "nan"},
      {"explore", "x.json", "--depth", "2"},
      {"explore", "x.json", "--strategy", "pos", "--preemptions", "2"},
      {"explore", "x.json", "--check", "--strategy", "dfs"},
      {"explore", "x.json", "--check", "--save", "t"},
      {"explore", "x.json", "--check", "--outcomes"},
      {"explore", "x.json", "--check", "--format", "json"},
      {"bugs", "--run", "--table"},
      {"run", "x.json", "--strategy", "best"},
      {"run", "x.json", "--format", "yaml"},
      {"run", "x.json", "--jobs", "0"},
      {"run", "x.json", "--hang-after", "0"},
      {"run", "x.json", "--filter", "nothing-like-that"},
      {"run", "x.json", "--compare"},
      {"run", "x.json", "--on", "fuse", "--trace", "t"},
      {"profiles", "--format", "junit"},
      {"schema", "extra"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    const CommandResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_THAT(result.err, testing::StartsWith("coldread: ")) << testing::PrintToString(arguments);
    EXPECT_EQ(result.out, "") << testing::PrintToString(arguments);
  }
  EXPECT_FALSE(exists("t"));
}

}  // namespace
}  // namespace coldread::cli
