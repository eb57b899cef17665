#include "sim/cli/bugs_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "sim/cli/exit_code.h"
#include "sim/cli/interrupt.h"

namespace coldread::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kHunts = 20;
constexpr uint64_t kSeedsApart = 1'000'000;
constexpr uint64_t kLimit = 10'000;
constexpr std::array kSearches = {sim::Search::random, sim::Search::pct, sim::Search::pos};

struct Cell {
  bool found = false;      // in the median
  uint64_t schedules = 0;  // median
  double seconds = 0;      // median
};

Cell hunt_often(const Bug& bug, const scenario::Scenario& scenario, sim::Search search) {
  std::vector<Hunt> hunts;
  for (size_t i = 0; i < kHunts; i++) {
    const HuntOptions options{search, kLimit, 1 + i * kSeedsApart, &catch_interrupts()};
    hunts.push_back(hunt(bug, scenario, profile_with(bug), "", options));
    if (!hunts.back().found) hunts.back().schedules = kLimit + 1;
  }
  std::sort(hunts.begin(), hunts.end(),
            [](const Hunt& a, const Hunt& b) { return a.schedules < b.schedules; });
  // The upper of the two in the middle.
  const Hunt& median = hunts[kHunts / 2];
  return {median.found, median.schedules, median.seconds};
}

Json row_json(const Bug& bug, const std::array<Cell, kSearches.size()>& cells) {
  Json row = {{"id", bug.id}, {"profile", profile_with(bug).name}};
  for (size_t i = 0; i < kSearches.size(); i++) {
    row[sim::search_name(kSearches[i])] = {{"found", cells[i].found},
                                           {"schedules", cells[i].schedules},
                                           {"seconds", cells[i].seconds}};
  }
  return row;
}

void print_row(const Bug& bug, const std::array<Cell, kSearches.size()>& cells) {
  fmt::print("| `{}` | {} |", bug.id, profile_with(bug).name);
  for (const Cell& cell : cells) {
    if (cell.found)
      fmt::print(" {} ({:.3f} s) |", cell.schedules, cell.seconds);
    else
      fmt::print(" more than {} |", kLimit);
  }
  fmt::print("\n");
  fflush(stdout);
}

}  // namespace

int bugs_table(const std::vector<const Bug*>& bugs, const std::string& directory,
               const std::string& format) {
  const Result<std::string> scenarios = scenarios_of_bugs(directory);
  if (!scenarios) {
    fmt::print(stderr, "coldread: {}\n", scenarios.error());
    return kBadInput;
  }
  Json out = Json::array();
  bool all = true;
  if (format == "text")
    fmt::print("| bug | profile | random | pct | pos |\n|---|---|--:|--:|--:|\n");
  for (const Bug* bug : bugs) {
    if (!bug->race) continue;
    const Result<scenario::Scenario> scenario = load_bug_scenario(*scenarios, *bug);
    if (!scenario) {
      fmt::print(stderr, "coldread: {}\n", scenario.error());
      return kBadInput;
    }
    std::array<Cell, kSearches.size()> cells;
    for (size_t i = 0; i < kSearches.size(); i++)
      cells[i] = hunt_often(*bug, *scenario, kSearches[i]);
    if (catch_interrupts()) break;  // what was counted of this one is not all
    all &= std::any_of(cells.begin(), cells.end(), [](const Cell& cell) { return cell.found; });
    if (format == "json")
      out.push_back(row_json(*bug, cells));
    else
      print_row(*bug, cells);
  }
  if (format == "json") fmt::print("{}\n", out.dump(2));
  if (!all) return kWrongAnswer;
  return catch_interrupts() ? kInterrupted : kPassed;
}

}  // namespace coldread::cli
