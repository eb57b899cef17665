#include "sim/cli/bugs.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "sim/cli/bugs_text.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/machine/changes.h"
#include "sim/player/check.h"

namespace coldread::cli {
namespace {

constexpr const char* kWrongAnswer = "wrong-answer";

std::vector<Bug> read_bugs() {
  std::vector<Bug> bugs;
  for (const nlohmann::json& entry : nlohmann::json::parse(kBugsText)) {
    Bug& bug = bugs.emplace_back();
    bug.id = entry.at("id");
    bug.cve = entry.value("cve", "");
    bug.kind = entry.at("kind");
    bug.shows = entry.at("shows");
    bug.race = entry.value("race", false);
    bug.search = search_named(entry.value("found_by", "pos"));
    bug.profiles = entry.at("in");
    bug.taken_out_of = entry.value("taken_out_of", std::string(kDefaultProfile));
    bug.scenario = "bugs/" + bug.id + ".json";
    bug.fix = find_change(bug.id);
    bug.summary =
        bug.fix != nullptr ? std::string(bug.fix->summary) : entry.at("summary").get<std::string>();
    if (entry.contains("mended_by"))
      bug.mending = find_change(entry.at("mended_by").get<std::string>());
  }
  return bugs;
}

bool has_bug(const Bug& bug, std::string_view profile) {
  return std::find(bug.profiles.begin(), bug.profiles.end(), profile) != bug.profiles.end();
}

bool shows(const Bug& bug, const scenario::Scenario& scenario, std::string_view sound,
           const player::Transcript& transcript) {
  if (bug.shows == kWrongAnswer && sound.empty()) {  // no kernel does better
    return player::verify(scenario, transcript.kernel, transcript).empty();
  }
  if (bug.shows == kWrongAnswer) {
    return !player::verify(scenario, std::string(sound), transcript).empty();
  }
  return transcript.report && transcript.report->kind == bug.shows;
}

}  // namespace

sim::Search search_named(const std::string& name) {
  for (const sim::Search search : {sim::Search::pct, sim::Search::pos})
    if (name == sim::search_name(search)) return search;
  return sim::Search::random;
}

Result<std::string> scenarios_of_bugs(const std::string& directory) {
  if (directory.empty()) return default_scenarios();
  return directory;
}

const std::vector<Bug>& all_bugs() {
  static const std::vector<Bug>& bugs = *new std::vector<Bug>(read_bugs());
  return bugs;
}

const Bug* find_bug(std::string_view id) {
  for (const Bug& bug : all_bugs()) {
    if (bug.id == id) return &bug;
  }
  return nullptr;
}

Profile profile_with(const Bug& bug) {
  if (bug.profiles.empty()) return find_profile(bug.taken_out_of)->without(bug.fix->change);
  return *find_profile(bug.profiles.back());
}

std::optional<SoundProfile> profile_without(const Bug& bug) {
  std::optional<SoundProfile> sound;
  const auto take = [&sound](std::string_view name) {
    sound = {*find_profile(name), std::string(name)};
  };
  if (bug.profiles.empty()) {
    take(bug.taken_out_of);
  } else if (!has_bug(bug, kDefaultProfile) || bug.mending != nullptr) {
    take(kDefaultProfile);
  } else {
    for (const Profile& profile : profiles())
      if (profile.name != "rfc-v8" && !has_bug(bug, profile.name)) take(profile.name);
  }
  if (!sound || !bug.race) return sound;
  // Whoever tries many interleavings of one bug's scenario may come upon another that is
  // everywhere.
  sim::Changes mending;
  for (const ChangeInfo& change : own_changes()) mending.with.emplace_back(change.name);
  sound->profile = sim::changed(sound->profile, mending);
  sound->name += sim::changes_text(mending);
  return sound;
}

Result<scenario::Scenario> load_bug_scenario(const std::string& directory, const Bug& bug) {
  return scenario::load_file(directory + "/" + bug.scenario, load_options());
}

namespace {

sim::ExploreOptions explore_options(const Profile& profile, const HuntOptions& hunt) {
  sim::ExploreOptions options;
  options.profile = profile;
  options.search = hunt.search;
  options.seed = hunt.first_seed;
  options.schedules = hunt.limit;
  options.stop = hunt.stop;
  return options;
}

}  // namespace

Hunt hunt(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
          std::string_view sound, const HuntOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  Hunt result;
  if (!bug.race) {
    result = {shows(bug, scenario, sound, sim::replay(scenario, profile, {})), "fifo", 1,
              options.first_seed, 0};
  } else {
    sim::ExploreOptions exploring = explore_options(profile, options);
    exploring.is_expected = [&](const player::RunReport& report) {
      return report.kind != bug.shows;
    };
    const sim::ExploreResult explored = sim::explore(scenario, exploring);
    const auto found = std::find_if(explored.findings.begin(), explored.findings.end(),
                                    [](const auto& finding) { return !finding.expected; });
    result = {found != explored.findings.end(), sim::search_name(options.search),
              explored.schedules, options.first_seed + explored.schedules - 1, 0};
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

bool silent(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
            const HuntOptions& options) {
  const std::string name(profile.name);
  // Mended, a kernel that has the bug makes no report although one is expected of it.
  const auto as_expected = [&](const sim::Schedule& schedule) {
    const player::Transcript seen = sim::replay(scenario, profile, schedule);
    const std::vector<player::Mismatch> found = player::verify(scenario, name, seen);
    return std::ranges::all_of(found, [&](const player::Mismatch& mismatch) {
      return !seen.report && mismatch.pointer.starts_with("/expect/report");
    });
  };
  if (!bug.race) return as_expected({});
  sim::ExploreOptions exploring = explore_options(profile, options);
  exploring.keep_going = true;
  const sim::ExploreResult explored = sim::explore(scenario, exploring);
  return std::all_of(explored.outcomes.begin(), explored.outcomes.end(),
                     [&](const auto& outcome) { return as_expected(outcome.second.schedule); });
}

}  // namespace coldread::cli
