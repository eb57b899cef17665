// Names across steps, and barriers that can be met.
#include "sim/scenario/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/scenario/loader.h"
#include "tests/sim/scenario/documents.h"

namespace coldread::scenario {
namespace {

using ::testing::HasSubstr;

using Json = nlohmann::ordered_json;

Json barrier(const char* name) {
  return {{"do", "barrier"}, {"name", name}};
}

Result<Scenario> load_tasks(const Json& tasks) {
  Json document = base_document();
  document["tasks"] = tasks;
  return load_text("t", document.dump());
}

std::string error(const Json& tasks) {
  const auto loaded = load_tasks(tasks);
  return loaded ? "no error" : loaded.error();
}

TEST(Barriers, AreMetByAllTasksThatNameThem) {
  const auto loaded = load_tasks({{"a", {barrier("x"), barrier("y")}},
                                  {"b", {barrier("x")}},
                                  {"c", {barrier("x"), barrier("y")}}});
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  ASSERT_EQ(loaded->barriers.size(), 2u);
  EXPECT_EQ(loaded->barriers[0].name, "x");
  EXPECT_EQ(loaded->barriers[0].parties, 3u);
  EXPECT_EQ(loaded->barriers[1].parties, 2u);
  EXPECT_EQ(loaded->tasks[2].steps[1].barrier, 1);
}

TEST(Barriers, ThatNobodyElseMeets) {
  EXPECT_EQ(
      error({{"a", {barrier("x")}}, {"b", Json::array()}}),
      "t: /tasks/a/0: expected a barrier that at least two tasks meet, got \"x\" in this task "
      "alone");
}

TEST(Barriers, TwiceInOneTask) {
  EXPECT_THAT(error({{"a", {barrier("x"), barrier("x")}}, {"b", {barrier("x")}}}),
              HasSubstr("/tasks/a/1: expected a task to meet a barrier once"));
}

TEST(Barriers, InCycles) {
  EXPECT_EQ(
      error({{"a", {barrier("x"), barrier("y")}}, {"b", {barrier("y"), barrier("x")}}}),
      "t: /tasks/b/1: expected barriers in the same order in all tasks, got \"x\" after \"y\" "
      "here and before it elsewhere");
  EXPECT_THAT(error({{"a", {barrier("x"), barrier("y")}},
                     {"b", {barrier("y"), barrier("z")}},
                     {"c", {barrier("z"), barrier("x")}}}),
              HasSubstr("expected barriers in the same order"));
  EXPECT_EQ(error({{"a", {barrier("x"), barrier("y")}},
                   {"b", {barrier("y"), barrier("z")}},
                   {"c", {barrier("x"), barrier("z")}}}),
            "no error");
}

TEST(Barriers, InALongChain) {
  Json tasks = {{"a", Json::array()}, {"b", Json::array()}};
  const auto add = [&](int i) {
    for (const char* task : {"a", "b"})
      tasks[task].push_back(barrier(("x" + std::to_string(i)).c_str()));
  };
  for (int i = 0; i < 1000; ++i) add(i);
  EXPECT_EQ(error(tasks), "no error");
  add(1000);
  EXPECT_THAT(error(tasks), HasSubstr("/tasks/a/1000: expected at most 1000 barriers"));
}

TEST(Names, OfFilesAndMessagesBelongToTheProcess) {
  const Json open = {{"do", "open"}};
  const Json close = {{"do", "close"}};
  EXPECT_EQ(error({{"a", {open, close}}}), "no error");
  EXPECT_EQ(error({{"a", Json::array()}, {"b", {open, close}}}), "no error");
  EXPECT_THAT(
      error({{"a", {open}}, {"b", {close}}}),
      HasSubstr("/tasks/b/0/fd: expected the name of a file that a step of the same process "
                "opens, got \"dev\""));
  EXPECT_EQ(error({{"a", {open}}, {"b", {{"process", "a"}, {"steps", {close}}}}}), "no error");
  EXPECT_THAT(error({{"a", {open, {{"do", "complete"}}}}}),
              HasSubstr("/tasks/a/1/message: expected the name of a message"));
  EXPECT_THAT(error({{"a", {{{"do", "bind"}, {"as", "other"}}, close}}}),
              HasSubstr("/tasks/a/1/fd: expected the name of a file"));
}

TEST(Names, OfFilesComeFromEveryCallThatBringsOne) {
  const Json close = {{"do", "close"}, {"fd", "twin"}};
  EXPECT_EQ(error({{"a", {{{"do", "open"}}, {{"do", "dup"}, {"as", "twin"}}, close}}}), "no error");
  EXPECT_EQ(error({{"a", {{{"do", "receive_fd"}, {"as", "twin"}}, close}}}), "no error");
  EXPECT_THAT(error({{"a", {{{"do", "fork"}, {"as", "twin"}}, close}}}),
              HasSubstr("/tasks/a/1/fd: expected the name of a file"));
  EXPECT_THAT(error({{"a", {{{"do", "chdir"}, {"path", "{m.id}"}}}}}),
              HasSubstr("/tasks/a/0/path: expected the name of a message"));
}

TEST(Children, AreForkedOnceByWhomever) {
  const Json fork = {{"do", "fork"}, {"as", "x"}};
  const Json end = {{"do", "end_child"}, {"child", "x"}};
  EXPECT_EQ(error({{"a", {end}}, {"b", {fork, end}}}), "no error");
  EXPECT_EQ(error({{"a", {fork, fork}}}),
            "t: /tasks/a/1: expected a name that no other child has, got \"x\"");
  EXPECT_EQ(error({{"a", {end}}}),
            "t: /tasks/a/0: expected the name of a child that a step forks, got \"x\"");
}

TEST(Placeholders, AreFoundAndReplaced) {
  std::vector<std::string> seen;
  const auto use = [&](std::string_view name, std::string_view field) {
    seen.push_back(std::string(name) + ":" + std::string(field));
    return std::string("<>");
  };
  EXPECT_EQ(expand_placeholders("a {CACHE}b{m.1.id}", use), "a <>b<>");
  EXPECT_THAT(seen, ::testing::ElementsAre(":CACHE", "m.1:id"));
  for (const char* text : {"{", "}", "a{b", "{{CACHE}", "{CACHE}}", "{}", "{cache}", "{.id}"})
    EXPECT_EQ(expand_placeholders(text, use), std::nullopt) << text;
  EXPECT_EQ(expand_placeholders("", use), "");
}

}  // namespace
}  // namespace coldread::scenario
