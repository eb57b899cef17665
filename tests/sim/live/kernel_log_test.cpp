// Which lines of a kernel's log make a guest a broken one.
#include "sim/live/kernel_log.h"

#include <gtest/gtest.h>

namespace coldread::live {
namespace {

TEST(KernelLog, QuietLogHasNoFindings) {
  const LogFindings findings = scan_kernel_log(
      "<6>[    0.460000] CacheFiles: File cache on t registered\n"
      "<3>[    0.460000] netfs: Duplicate cookie detected\n");
  EXPECT_FALSE(findings.fatal);
  EXPECT_FALSE(findings.warning);
}

TEST(KernelLog, FirstFatalLineWithoutItsPrefix) {
  const LogFindings findings = scan_kernel_log(
      "<4>[    1.2] netfs: Assertion failed\n<0>[    1.3] Kernel panic - not syncing: BUG!\n");
  EXPECT_EQ(findings.fatal, "netfs: Assertion failed");
}

TEST(KernelLog, KnowsOopsBugAndKasan) {
  EXPECT_TRUE(scan_kernel_log("[ 1.0] Oops: 0002 [#1]").fatal);
  EXPECT_TRUE(scan_kernel_log("BUG: KASAN: slab-use-after-free in x").fatal);
  EXPECT_TRUE(scan_kernel_log("kernel BUG at fs/x.c:1!").fatal);
}

TEST(KernelLog, WarningsAreApart) {
  const LogFindings findings = scan_kernel_log(
      "[ 1.0] WARNING: CPU: 0 PID: 1 at fs/fscache/io.c:101\n[ 1.1] WARNING: two\n");
  EXPECT_FALSE(findings.fatal);
  EXPECT_EQ(findings.warning, "WARNING: CPU: 0 PID: 1 at fs/fscache/io.c:101");
}

}  // namespace
}  // namespace coldread::live
