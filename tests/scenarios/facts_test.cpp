// Every known fact about the kernel is shown by a scenario, in each kernel that it is a fact of; of
// mounted images, which scenarios do not know, by a case that real kernels were recorded to play.
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
  std::string mounts;     // the case of tests/mounts that shows it; empty: a scenario must
  std::set<std::string> kernels;
};

std::vector<Fact> all_facts() {
  std::ifstream in(source_root() + "/kernelmodel/facts.json");
  std::vector<Fact> facts;
  for (const auto& entry : nlohmann::json::parse(in))
    facts.push_back({entry.at("id"), entry.at("section"), entry.at("fact"),
                     entry.value("not_shown", ""), entry.value("mounts", ""), entry.at("kernels")});
  return facts;
}

bool needs_scenario(const Fact& fact) {
  return fact.not_shown.empty() && fact.mounts.empty();
}

// The cases that a kernel was recorded to play.
std::set<std::string> cases_of_mounts(const std::string& kernel) {
  std::ifstream in(source_root() + "/tests/mounts/" + kernel + ".txt");
  std::set<std::string> found;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("case ")) found.insert(line.substr(5));
  return found;
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
      EXPECT_NE(covered[fact.id].contains(kernel), !needs_scenario(fact))
          << fact.id << (needs_scenario(fact) ? ": no scenario shows it in " : ": shown in ")
          << kernel << ": " << fact.sentence;
    covered.erase(fact.id);
  }
  for (const auto& [id, kernels] : covered)
    ADD_FAILURE() << "a scenario names an unknown fact, " << id;
}

TEST(Facts, OfMountsHaveTheirCases) {
  for (const Fact& fact : all_facts()) {
    if (fact.mounts.empty()) continue;
    for (const std::string& kernel : fact.kernels)
      EXPECT_TRUE(cases_of_mounts(kernel).contains(fact.mounts))
          << fact.id << ": " << kernel << " was never asked " << fact.mounts;
  }
}

}  // namespace
}  // namespace coldread
