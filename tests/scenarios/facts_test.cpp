// Every known fact about the kernel is shown by a scenario, in each kernel that it is a fact of.
#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "tests/scenarios/all_scenarios.h"

namespace coldread {
namespace {

struct Fact {
  std::string id, section, sentence;
  std::string not_shown;  // why no scenario can show it; empty: one must
  std::set<std::string> kernels;
};

std::vector<Fact> all_facts() {
  std::ifstream in(source_root() + "/kernelmodel/facts.json");
  std::vector<Fact> facts;
  for (const auto& entry : nlohmann::json::parse(in))
    facts.push_back({entry.at("id"), entry.at("section"), entry.at("fact"),
                     entry.value("not_shown", ""), entry.at("kernels")});
  return facts;
}

TEST(Facts, AreWellFormed) {
  std::set<std::string> ids;
  for (const Fact& fact : all_facts()) {
    EXPECT_TRUE(ids.insert(fact.id).second) << fact.id << " is listed twice";
    EXPECT_TRUE(fact.sentence.ends_with(".")) << fact.id << " is not a sentence";
    EXPECT_FALSE(fact.section.empty()) << fact.id;
    EXPECT_FALSE(fact.kernels.empty()) << fact.id;
    for (const std::string& kernel : fact.kernels)
      EXPECT_NE(find_profile(kernel), nullptr) << fact.id << ": no profile " << kernel;
  }
}

TEST(Facts, AllAreCoveredAndNoneIsUnknown) {
  std::map<std::string, std::set<std::string>> covered;  // by fact: kernels
  for (const scenario::Scenario& scenario : all_scenarios())
    for (const std::string& fact : scenario.facts)
      covered[fact].insert(scenario.kernels.begin(), scenario.kernels.end());
  for (const Fact& fact : all_facts()) {
    for (const std::string& kernel : fact.kernels)
      EXPECT_NE(covered[fact.id].contains(kernel), !fact.not_shown.empty())
          << fact.id << (fact.not_shown.empty() ? ": no scenario shows it in " : ": shown in ")
          << kernel << ": " << fact.sentence;
    covered.erase(fact.id);
  }
  for (const auto& [id, kernels] : covered)
    ADD_FAILURE() << "a scenario names an unknown fact, " << id;
}

}  // namespace
}  // namespace coldread
