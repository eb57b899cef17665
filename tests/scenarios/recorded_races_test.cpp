// What real kernels were seen to answer in several ways is among what exploring the model reaches.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/explore/explore.h"
#include "sim/recordings/recordings.h"
#include "sim/scheduler/fiber.h"
#include "tests/scenarios/all_scenarios.h"

namespace coldread {
namespace {

using nlohmann::json;

constexpr uint64_t kSchedules = 3'000;

std::vector<json> reached(const scenario::Scenario& scenario, const Profile& profile,
                          sim::Search search) {
  sim::ExploreOptions options;
  options.profile = profile;
  options.search = search;
  options.schedules = kSchedules;
  options.keep_going = true;
  std::vector<json> found;
  for (const auto& [key, outcome] : sim::explore(scenario, options).outcomes)
    found.push_back(sim::replay(scenario, profile, outcome.schedule).canonical());
  return found;
}

TEST(RecordedRaces, AreAmongTheOutcomes) {
  if (sim::kAddressSanitizer)
    GTEST_SKIP() << "some hundred thousand runs: the build without sanitizers makes them";
  const auto recorded = recordings::Recordings::load(source_root() + "/tests/recordings");
  ASSERT_TRUE(recorded) << recorded.error();
  int races = 0;
  for (const scenario::Scenario& scenario : all_scenarios()) {
    for (const std::string& kernel : scenario.kernels) {
      const auto* recording = recorded->find(kernel, recordings::scenario_name(scenario.path));
      if (recording == nullptr || recording->seen.size() < 2) continue;
      races++;
      std::vector<json> outcomes;
      for (const sim::Search search : {sim::Search::pos, sim::Search::pct, sim::Search::random})
        for (json& outcome : reached(scenario, *find_profile(kernel), search))
          outcomes.push_back(std::move(outcome));
      for (json seen : recording->seen) {
        seen.erase("events");  // their order alone makes no outcome
        EXPECT_NE(std::find(outcomes.begin(), outcomes.end(), seen), outcomes.end())
            << scenario.path << " on " << kernel << ": no interleaving gives\n"
            << seen.dump(2);
      }
    }
  }
  EXPECT_GT(races, 0);
}

}  // namespace
}  // namespace coldread
