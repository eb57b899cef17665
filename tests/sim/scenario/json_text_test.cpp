// Where in a text the JSON is broken, and the members that other parsers would drop silently.
#include "sim/scenario/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "sim/scenario/errno_names.h"
#include "sim/scenario/loader.h"

namespace coldread::scenario {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string error(const std::string& text) {
  const auto parsed = parse_json(text);
  return parsed ? "no error" : parsed.error();
}

TEST(JsonText, KeepsTheOrderOfMembers) {
  const auto parsed = parse_json(R"({"b": 1, "a": {"z": 2, "y": 3}})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->dump(), R"({"b":1,"a":{"z":2,"y":3}})");
}

TEST(JsonText, ErrorsHaveLineAndColumn) {
  EXPECT_THAT(error("{\n  \"a\": 1,\n  b\n}"), StartsWith("line 3, column 3: expected JSON"));
  EXPECT_THAT(error("{\"a\": tru}"), StartsWith("line 1, column 10: "));
  EXPECT_THAT(error(""), StartsWith("line 1, column 1: "));
  EXPECT_THAT(error("{\"a\": 1"), StartsWith("line 1, column "));
  EXPECT_THAT(error("{} x"), StartsWith("line 1, column 4: "));
  EXPECT_THAT(error("{\"a\": 1e999}"), HasSubstr("number overflow"));
  EXPECT_THAT(error("{\"a\": \"\xff\"}"), HasSubstr("UTF-8"));
  EXPECT_THAT(error("[1,]"), Not(HasSubstr("json.exception")));
}

TEST(JsonText, MembersTwice) {
  EXPECT_EQ(error(R"({"a": 1, "b": [0, {"x/y": 1, "x/y": 2}]})"),
            "/b/1/x~1y: expected every member once, got \"x/y\" a second time");
  EXPECT_EQ(error(R"({"tasks": {"r": [], "d": [], "r": []}})"),
            "/tasks/r: expected every member once, got \"r\" a second time");
  EXPECT_EQ(error(R"([{"a": 1}, {"a": 1}])"), "no error");
}

TEST(JsonText, Nesting) {
  EXPECT_EQ(error(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')), "no error");
  EXPECT_THAT(error(std::string(1'000'000, '[')), HasSubstr("at most 64 levels of nesting"));
  EXPECT_THAT(error(std::string(kMaxDepth + 1, '[')), HasSubstr("at most 64 levels"));
}

TEST(JsonText, TheLoaderNamesTheFile) {
  EXPECT_THAT(load_text("a/b.json", "{").error(), StartsWith("a/b.json: line 1, column "));
  EXPECT_THAT(load_text("b.json", R"({"a":1,"a":1})").error(), StartsWith("b.json: /a: expected"));
}

TEST(ErrnoNames, BothWays) {
  EXPECT_EQ(errno_name(-ENOBUFS), "ENOBUFS");
  EXPECT_EQ(errno_name(-EAGAIN), "EAGAIN");
  EXPECT_EQ(errno_name(-4000), "E4000");
  EXPECT_EQ(errno_name(INT64_MIN), "E9223372036854775808");
  EXPECT_EQ(errno_number("ENOBUFS"), ENOBUFS);
  EXPECT_EQ(errno_number("ENONSENSE"), std::nullopt);
  EXPECT_EQ(errno_number(""), std::nullopt);
  for (int number = 1; number < 134; ++number) {
    const std::string name = errno_name(-number);
    if (name == "E" + std::to_string(number)) continue;  // no error has this number
    EXPECT_EQ(errno_number(name), number) << name;
  }
}

}  // namespace
}  // namespace coldread::scenario
