// Where a kernel's function is, from its table of symbols.
#include "sim/live/failslab.h"

#include <gtest/gtest.h>

namespace coldread::live {
namespace {

constexpr const char* kSymbols =
    "0000000060003000 t open_it.part.0\n"
    "0000000060001000 T open_it\n"
    "0000000060002000 t read_it\n"
    "0000000062001000 t open_it_not\t[module]\n";

TEST(FindFunction, EndsWhereTheNextBegins) {
  const auto range = find_function(kSymbols, "open_it");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, 0x60001000U);
  EXPECT_EQ(range->end, 0x60002000U);
}

TEST(FindFunction, TheLastOneHasNoEnd) {
  const auto range = find_function(kSymbols, "open_it_not");
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, 0x62001000U);
  EXPECT_EQ(range->end, UINT64_MAX);
}

TEST(FindFunction, NoneOfThatName) {
  EXPECT_FALSE(find_function(kSymbols, "open"));
  EXPECT_FALSE(find_function("", "open_it"));
  // Whoever is not root sees no addresses.
  EXPECT_FALSE(find_function("0000000000000000 T open_it\n", "open_it"));
}

}  // namespace
}  // namespace coldread::live
