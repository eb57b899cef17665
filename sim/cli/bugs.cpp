#include "sim/cli/bugs.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "sim/cli/bugs_text.h"
#include "sim/cli/execute.h"
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
    bug.profiles = entry.at("in");
    bug.scenario = entry.value("scenario", "bugs/" + bug.id + ".json");
    bug.fix = find_change(bug.id);
  }
  return bugs;
}

bool has_bug(const Bug& bug, std::string_view profile) {
  return std::find(bug.profiles.begin(), bug.profiles.end(), profile) != bug.profiles.end();
}

player::Transcript play(const scenario::Scenario& scenario, const Profile& profile,
                        sim::Strategy strategy, uint64_t seed) {
  sim::RunOptions options;
  options.profile = profile.name;
  options.changed_profile = &profile;
  options.strategy = strategy;
  options.seed = seed;
  options.history = 0;
  return sim::run(scenario, options).transcript;
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

const Profile& profile_with(const Bug& bug) {
  return *find_profile(bug.profiles.back());
}

const Profile* profile_without(const Bug& bug) {
  if (bug.fix == nullptr) return nullptr;
  if (!has_bug(bug, kDefaultProfile)) return find_profile(kDefaultProfile);
  const Profile* newest = nullptr;
  for (const Profile& profile : profiles()) {
    if (profile.name != "rfc-v8" && !has_bug(bug, profile.name)) newest = &profile;
  }
  return newest;
}

Result<scenario::Scenario> load_bug_scenario(const std::string& directory, const Bug& bug) {
  return scenario::load_file(directory + "/" + bug.scenario, load_options());
}

Hunt hunt(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
          std::string_view sound, uint64_t limit, uint64_t first_seed) {
  const auto begin = std::chrono::steady_clock::now();
  Hunt result;
  while (!result.found && result.schedules < limit && (bug.race || result.schedules == 0)) {
    result.strategy = result.schedules == 0 ? sim::Strategy::fifo : sim::Strategy::random;
    result.seed = first_seed + result.schedules;
    result.found =
        shows(bug, scenario, sound, play(scenario, profile, result.strategy, result.seed));
    result.schedules++;
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

bool silent(const Bug& bug, const scenario::Scenario& scenario, const Profile& profile,
            uint64_t schedules, uint64_t first_seed) {
  for (uint64_t i = 0; i < (bug.race ? schedules : 1); i++) {
    const sim::Strategy strategy = i == 0 ? sim::Strategy::fifo : sim::Strategy::random;
    const player::Transcript transcript = play(scenario, profile, strategy, first_seed + i);
    if (!player::verify(scenario, std::string(profile.name), transcript).empty()) return false;
  }
  return true;
}

}  // namespace coldread::cli
