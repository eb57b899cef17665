// The kernel's number syntax, which decides what a daemon may write.
#include "kernelmodel/cachefiles/parse.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <limits>

namespace coldread {
namespace {

int unsigned_error(std::string_view text) {
  uint64_t value = 0;
  return kstrtoul(text, 0, &value);
}

uint64_t unsigned_value(std::string_view text) {
  uint64_t value = 0;
  EXPECT_EQ(kstrtoul(text, 0, &value), 0) << text;
  return value;
}

int64_t signed_value(std::string_view text) {
  int64_t value = 0;
  EXPECT_EQ(kstrtol(text, 0, &value), 0) << text;
  return value;
}

int signed_error(std::string_view text) {
  int64_t value = 0;
  return kstrtol(text, 0, &value);
}

TEST(Kstrtoul, GuessesTheBase) {
  EXPECT_EQ(unsigned_value("42"), 42u);
  EXPECT_EQ(unsigned_value("+42"), 42u);
  EXPECT_EQ(unsigned_value("0x2A"), 42u);
  EXPECT_EQ(unsigned_value("052"), 42u);
  EXPECT_EQ(unsigned_value("0"), 0u);
  EXPECT_EQ(unsigned_value("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(unsigned_value("7\n"), 7u);
}

TEST(Kstrtoul, RefusesEverythingElse) {
  for (const char* text : {"", "+", "-1", " 1", "1 ", "1x", "0x", "08", "x", "1\n\n"}) {
    EXPECT_EQ(unsigned_error(text), -EINVAL) << '"' << text << '"';
  }
  EXPECT_EQ(unsigned_error("18446744073709551616"), -ERANGE);
}

TEST(Kstrtol, HasASign) {
  EXPECT_EQ(signed_value("-5"), -5);
  EXPECT_EQ(signed_value("-0x10"), -16);
  EXPECT_EQ(signed_value("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(signed_value("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(signed_error("9223372036854775808"), -ERANGE);
  EXPECT_EQ(signed_error("-9223372036854775809"), -ERANGE);
  EXPECT_EQ(signed_error("--1"), -EINVAL);
  EXPECT_EQ(signed_error("-+1"), -EINVAL);
}

TEST(SimpleStrtoul, StopsWhereTheDigitsEnd) {
  std::string_view text = "007%";
  EXPECT_EQ(simple_strtoul(&text, 10), 7u);
  EXPECT_EQ(text, "%");
  text = "%";
  EXPECT_EQ(simple_strtoul(&text, 10), 0u);
  EXPECT_EQ(text, "%");
}

TEST(Isspace, KnowsTheNoBreakSpace) {
  for (const char c : {' ', '\t', '\n', '\v', '\f', '\r', '\xa0'}) EXPECT_TRUE(kernel_isspace(c));
  for (const char c : {'a', '\0', '\x85', '0'}) EXPECT_FALSE(kernel_isspace(c));
}

}  // namespace
}  // namespace coldread
