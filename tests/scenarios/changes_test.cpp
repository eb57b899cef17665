// A change of the kernel that no scenario would notice is not modelled: each is taken out of, or
// put into, profiles, and some scenario must go red.
#include <algorithm>

#include "sim/cli/bugs.h"
#include "sim/machine/run.h"
#include "sim/player/check.h"
#include "sim/scheduler/fiber.h"
#include "tests/changes_of_mounts.h"
#include "tests/scenarios/all_scenarios.h"

namespace coldread {
namespace {

constexpr uint64_t kSchedules = sim::kAddressSanitizer ? 200 : 2'000;  // of a race's scenario

bool passes(const scenario::Scenario& scenario, const Profile& profile) {
  sim::RunOptions options;
  options.changed_profile = &profile;
  const player::Transcript transcript = sim::run(scenario, options).transcript;
  return player::verify(scenario, std::string(profile.name), transcript).empty();
}

bool lists(const scenario::Scenario& scenario, std::string_view profile) {
  const auto& kernels = scenario.kernels;
  return scenario.unavailable.empty() &&
         std::find(kernels.begin(), kernels.end(), profile) != kernels.end();
}

// The first scenario that goes red; empty: none.
std::string noticed_by(const Profile& changed) {
  for (const scenario::Scenario& scenario : all_scenarios()) {
    if (lists(scenario, changed.name) && !passes(scenario, changed)) return scenario.path;
  }
  return "";
}

// Some interleaving of the bug's own scenario shows that its fix was taken out.
bool race_noticed(const ChangeInfo& info, const Profile& changed) {
  const cli::Bug* bug = cli::find_bug(info.name);
  if (bug == nullptr || !bug->race) return false;
  const auto scenario = cli::load_bug_scenario(source_root() + "/scenarios", *bug);
  return !cli::silent(*bug, *scenario, changed, {bug->search, kSchedules});
}

bool is_noticed(const ChangeInfo& info, const Profile& profile) {
  const bool had = profile.has(info.change);
  const Profile changed = had ? profile.without(info.change) : profile.with(info.change);
  return !noticed_by(changed).empty() || (had && race_noticed(info, changed));
}

// Other fixes hide it in every profile that has it: its bug is found in 6.8, which lacks them too.
constexpr Change kNotShown[] = {Change::stop_requests_when_dropping};

TEST(Changes, ProfilesPassAsTheyAre) {
  for (const Profile& profile : profiles()) {
    EXPECT_EQ(noticed_by(profile), "") << "fails as it is in " << profile.name;
  }
}

// Bugs that no kernel has mended, mended.
TEST(Changes, OwnOnesMend) {
  const std::pair<const char*, Change> kMended[] = {
      {"uaf-withdraw-unlisted-object", Change::withdraw_cookie_locks},
      {"hang-withdraw-volume-twice", Change::withdraw_volume_once},
      {"uaf-end-cookie-access", Change::end_access_holds_cookie},
      {"make-files-while-frozen", Change::namei_freeze_protection}};
  for (const auto& [id, change] : kMended) {
    const cli::Bug& bug = *cli::find_bug(id);
    const auto scenario = cli::load_bug_scenario(source_root() + "/scenarios", bug);
    ASSERT_TRUE(scenario.ok()) << scenario.error();
    for (const char* name : {"6.1.192", "6.12.117"}) {
      const Profile mended = find_profile(name)->with(change).with(Change::withdraw_cookie_locks);
      EXPECT_TRUE(cli::silent(bug, *scenario, mended, {bug.search, kSchedules})) << id << name;
    }
  }
}

// In a checked profile if it can be; where another fix hides it there, in some other.
TEST(Changes, EachIsNoticed) {
  if (sim::kAddressSanitizer)
    GTEST_SKIP() << "some hundred thousand runs: the build without sanitizers makes them";
  for (const ChangeInfo& info : all_changes()) {
    if (std::ranges::find(kNotShown, info.change) != std::end(kNotShown)) continue;
    if (std::ranges::find(kChangesOfMounts, info.change) != std::end(kChangesOfMounts)) continue;
    bool noticed = false;
    for (const bool derived : {false, true}) {
      for (const Profile& profile : profiles()) {
        noticed = noticed || (profile.derived == derived && is_noticed(info, profile));
      }
    }
    EXPECT_TRUE(noticed) << info.name;
  }
}

}  // namespace
}  // namespace coldread
