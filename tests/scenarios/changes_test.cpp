// A change of the kernel that no scenario would notice is not modelled: each is taken out of, or
// put into, each checked profile, and some scenario must go red.
#include <algorithm>

#include "sim/machine/run.h"
#include "sim/player/check.h"
#include "tests/scenarios/all_scenarios.h"

namespace coldread {
namespace {

bool passes(const scenario::Scenario& scenario, const Profile& profile) {
  sim::RunOptions options;
  options.changed_profile = &profile;
  const player::Transcript transcript = sim::run(scenario, options).transcript;
  return player::verify(scenario, std::string(profile.name), transcript).empty();
}

// The first scenario that goes red; empty: none.
std::string noticed_by(const Profile& changed) {
  for (const scenario::Scenario& scenario : all_scenarios()) {
    const auto& kernels = scenario.kernels;
    if (!scenario.unavailable.empty() ||
        std::find(kernels.begin(), kernels.end(), changed.name) == kernels.end())
      continue;
    if (!passes(scenario, changed)) return scenario.path;
  }
  return "";
}

TEST(Changes, EachIsNoticed) {
  for (const Profile& profile : profiles()) {
    if (profile.derived) continue;
    ASSERT_EQ(noticed_by(profile), "") << "fails as it is in " << profile.name;
    for (const ChangeInfo& info : all_changes()) {
      const bool had = profile.has(info.change);
      const Profile changed = had ? profile.without(info.change) : profile.with(info.change);
      EXPECT_NE(noticed_by(changed), "")
          << profile.name << (had ? " without " : " with ") << info.name;
    }
  }
}

}  // namespace
}  // namespace coldread
