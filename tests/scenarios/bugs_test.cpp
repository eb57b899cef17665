// Every bug of the catalogue is found in each profile that has it, and nothing is found in the
// others.
#include "sim/cli/bugs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "sim/scheduler/fiber.h"
#include "tests/scenarios/all_scenarios.h"

namespace coldread::cli {
namespace {

constexpr uint64_t kSchedules = 10'000;  // in which a race must be found
constexpr uint64_t kSilent = 64;         // that find nothing where it is not

class Bugs : public testing::TestWithParam<Bug> {};

TEST_P(Bugs, IsFoundWhereItIsAndNowhereElse) {
  const Bug& bug = GetParam();
  const Result<scenario::Scenario> scenario = load_bug_scenario(source_root() + "/scenarios", bug);
  ASSERT_TRUE(scenario.ok()) << scenario.error();
  const std::optional<SoundProfile> without = profile_without(bug);
  const std::string_view sound = without ? without->profile.name : "";
  const Hunt found = hunt(bug, *scenario, profile_with(bug), sound, {bug.search, kSchedules});
  EXPECT_TRUE(found.found);
  if (bug.mending != nullptr) {  // that alone makes the difference
    const Profile others = without->profile.without(bug.mending->change);
    EXPECT_TRUE(hunt(bug, *scenario, others, sound, {bug.search, kSchedules}).found);
    EXPECT_TRUE(silent(bug, *scenario, without->profile, {bug.search, found.schedules}))
        << "in " << without->name;
  }
  for (const std::string& name : scenario->kernels) {
    const Profile& profile = *find_profile(name);
    if (std::find(bug.profiles.begin(), bug.profiles.end(), name) != bug.profiles.end()) {
      // Some thousand runs, each of which takes ten times as long: once has to do.
      if (sim::kAddressSanitizer && bug.race) continue;
      EXPECT_TRUE(hunt(bug, *scenario, profile, sound, {bug.search, kSchedules}).found)
          << "not in " << name;
    } else {
      EXPECT_TRUE(silent(bug, *scenario, profile, {bug.search, kSilent})) << "in " << name;
    }
  }
}

TEST_P(Bugs, IsWhatItsFixIsNotIn) {
  const Bug& bug = GetParam();
  EXPECT_FALSE(bug.profiles.empty() && bug.fix == nullptr);
  EXPECT_EQ(bug.kind == "unfixed", bug.fix == nullptr);
  EXPECT_TRUE(bug.fix == nullptr || bug.mending == nullptr);
  EXPECT_NE(bug.summary, "");
  for (const std::string& name : bug.profiles) {
    const Profile* profile = find_profile(name);
    ASSERT_NE(profile, nullptr) << name;
    if (bug.fix != nullptr) {
      EXPECT_FALSE(profile->has(bug.fix->change)) << name;
    }
  }
}

std::string test_name(const testing::TestParamInfo<Bug>& info) {
  std::string name = info.param.id;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Bugs, testing::ValuesIn(all_bugs()), test_name);

TEST(Catalogue, HasEachBugOnce) {
  std::set<std::string> ids;
  for (const Bug& bug : all_bugs()) EXPECT_TRUE(ids.insert(bug.id).second) << bug.id;
}

TEST(Catalogue, HasEachScenarioOfBugs) {
  std::set<std::string> known;
  for (const Bug& bug : all_bugs()) known.insert(source_root() + "/scenarios/" + bug.scenario);
  for (const scenario::Scenario& scenario : all_scenarios()) {
    if (scenario.path.find("/scenarios/bugs/") == std::string::npos) continue;
    EXPECT_TRUE(known.contains(scenario.path)) << scenario.path;
  }
}

}  // namespace
}  // namespace coldread::cli
