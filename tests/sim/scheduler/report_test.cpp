// The words for reports, which scenarios contain: they must never change.
#include "kernelmodel/kernel/report.h"

#include <gtest/gtest.h>

namespace coldread {
namespace {

TEST(ReportKindTest, HasItsWord) {
  const char* const words[] = {"none",
                               "use-after-free",
                               "out-of-bounds",
                               "null-dereference",
                               "warning",
                               "refcount",
                               "leak",
                               "answered-twice",
                               "never-answered",
                               "lock-order",
                               "sleeping-in-atomic",
                               "hang",
                               "unwritten-data",
                               "stack-overflow"};
  uint8_t kind = 0;
  for (const char* word : words)
    EXPECT_STREQ(report_kind_name(static_cast<ReportKind>(kind++)), word);
  EXPECT_EQ(kind, static_cast<uint8_t>(ReportKind::stack_overflow) + 1);
}

}  // namespace
}  // namespace coldread
