// Found, not to be had here, or broken: three different things.
#include "sim/live/kernel_image.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "kernelmodel/profile.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

class FindKernel : public testing::Test {
 protected:
  void SetUp() override { setenv("COLDREAD_KERNEL_TOOLS", tools_.path().c_str(), 1); }
  void TearDown() override { unsetenv("COLDREAD_KERNEL_TOOLS"); }
  TemporaryDirectory tools_;
};

TEST_F(FindKernel, GivesWhatTheScriptSays) {
  tools_.write("build",
               "#!/bin/sh\necho release=6.12.117; echo linux=/k/linux; echo module=/k/$1.ko\n");
  const KernelLookup found = ask_build_script("6.12", false);
  ASSERT_TRUE(found.image);
  EXPECT_EQ(found.image->release, "6.12.117");
  EXPECT_EQ(found.image->linux_path, "/k/linux");
  EXPECT_EQ(found.image->module_path, "/k/6.12.ko");
}

TEST_F(FindKernel, CachedOnlyIsSaidToTheScript) {
  tools_.write("build", "#!/bin/sh\necho \"reason=$*\"; exit 77\n");
  EXPECT_EQ(ask_build_script("6.1", true).reason, "--cached 6.1");
  EXPECT_EQ(ask_build_script("6.1", false).reason, "6.1");
}

TEST_F(FindKernel, AKernelWithSecurityIsAnother) {
  tools_.write("build", "#!/bin/sh\necho \"reason=$*\"; exit 77\n");
  EXPECT_EQ(ask_build_script("6.1", true, {.security = true}).reason, "--cached --security 6.1");
  EXPECT_EQ(ask_build_script("6.1", false, {.security = true}).reason, "--security 6.1");
}

TEST_F(FindKernel, AKernelWithoutAChangeIsAnother) {
  tools_.write("build", "#!/bin/sh\necho \"reason=$*\"; exit 77\n");
  EXPECT_EQ(ask_build_script("6.1", true, {.without = "poll-lock"}).reason,
            "--cached --without poll-lock 6.1");
  EXPECT_TRUE(changes_taken_back().empty());
}

TEST(ChangesTakenBack, AreChangesOfTheModel) {
  const std::vector<std::string> names = changes_taken_back();
  EXPECT_FALSE(names.empty());
  for (const std::string& name : names) EXPECT_NE(find_change(name), nullptr) << name;
}

TEST_F(FindKernel, WhatCannotBeHadIsSkippedWithTheReason) {
  tools_.write("build", "#!/bin/sh\necho 'reason=only root can: apt-get install x=1'; exit 77\n");
  const KernelLookup found = ask_build_script("6.1", false);
  EXPECT_FALSE(found.image);
  EXPECT_TRUE(found.skip);
  EXPECT_EQ(found.reason, "only root can: apt-get install x=1");
}

TEST_F(FindKernel, AFailedBuildIsNoSkip) {
  tools_.write("build", "#!/bin/sh\nexit 2\n");
  const KernelLookup found = ask_build_script("6.1", false);
  EXPECT_FALSE(found.image);
  EXPECT_FALSE(found.skip);
  EXPECT_EQ(found.reason, "tests/kernel/build ended with 2");
}

TEST_F(FindKernel, SuccessWithoutPathsIsAFailure) {
  tools_.write("build", "#!/bin/sh\necho linux=/k/linux\n");
  const KernelLookup found = ask_build_script("6.1", false);
  EXPECT_FALSE(found.image);
  EXPECT_FALSE(found.skip);
}

TEST_F(FindKernel, WithoutTheScriptItIsSkipped) {
  const KernelLookup found = ask_build_script("6.1", false);
  EXPECT_FALSE(found.image);
  EXPECT_TRUE(found.skip);
  EXPECT_NE(found.reason.find("COLDREAD_KERNEL_TOOLS"), std::string::npos);
}

}  // namespace
}  // namespace coldread::live
