// Which kernel a scenario is played on.
#include "sim/cli/kernels.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "sim/scheduler/fiber.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::cli {
namespace {

TEST(Kernels, OneWithSecurityOrWithoutAChangeIsAnotherAndNotBuilt) {
  if (sim::kAddressSanitizer) GTEST_SKIP() << "no guests with AddressSanitizer";
  const live::TemporaryDirectory tools;
  tools.write("build", "#!/bin/sh\necho \"reason=$*\"; exit 77\n");
  setenv("COLDREAD_KERNEL_TOOLS", tools.path().c_str(), 1);
  const Profile& profile = *find_profile("6.12.117");
  Kernels kernels;
  scenario::Scenario scenario;
  EXPECT_EQ(kernels.find(profile, scenario).reason, "6.12.117");
  scenario.security = true;
  const live::KernelLookup secure = kernels.find(profile, scenario);
  EXPECT_EQ(secure.reason, "--cached --security 6.12.117");
  EXPECT_TRUE(secure.skip);
  scenario.security = false;
  EXPECT_EQ(kernels.find(profile, scenario, "poll-lock").reason,
            "--cached --without poll-lock 6.12.117");
  unsetenv("COLDREAD_KERNEL_TOOLS");
}

}  // namespace
}  // namespace coldread::cli
