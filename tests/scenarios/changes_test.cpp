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

bool noticed(const Profile& changed) {
  return std::any_of(all_scenarios().begin(), all_scenarios().end(), [&](const auto& scenario) {
    const auto& kernels = scenario.kernels;
    return scenario.unavailable.empty() &&
           std::find(kernels.begin(), kernels.end(), changed.name) != kernels.end() &&
           !passes(scenario, changed);
  });
}

TEST(Changes, EachIsNoticed) {
  for (const Profile& profile : profiles()) {
    if (profile.derived) continue;
    ASSERT_FALSE(noticed(profile)) << "a scenario fails as it is in " << profile.name;
    for (const ChangeInfo& info : all_changes()) {
      const bool had = profile.has(info.change);
      const Profile changed = had ? profile.without(info.change) : profile.with(info.change);
      EXPECT_TRUE(noticed(changed)) << profile.name << (had ? " without " : " with ") << info.name;
    }
  }
}

}  // namespace
}  // namespace coldread
