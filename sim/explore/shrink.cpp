#include "sim/explore/shrink.h"

#include <algorithm>

#include "sim/explore/explore.h"

namespace coldread::sim {
namespace {

using Json = nlohmann::ordered_json;

// A task's steps: the task itself, or its "steps".
Json& steps_of(Json& task) {
  return task.is_object() ? task["steps"] : task;
}

// Only what decides how it is played.
void strip(Json& document, const std::string& kernel) {
  for (const char* member : {"expect", "facts", "$schema"}) document.erase(member);
  document["kernels"] = {kernel};
  if (document.contains("setup"))
    for (Json& step : document["setup"]) step.erase("expect");
  for (Json& task : document["tasks"])
    for (Json& step : steps_of(task)) {
      step.erase("expect");
      step.erase("note");
    }
}

void erase_setup_of(Json& document, const std::string& task) {
  if (!document.contains("setup")) return;
  Json& setup = document["setup"];
  for (size_t i = setup.size(); i-- > 0;)
    if (setup[i].value("task", "") == task) setup.erase(i);
}

// Everything that can be left out of a document, each as a document of its own, larger things
// first.
std::vector<Json> smaller_documents(const Json& document) {
  std::vector<Json> found;
  const auto without = [&](const auto& change) {
    Json smaller = document;
    change(smaller);
    found.push_back(std::move(smaller));
  };
  for (const auto& [name, task] : document["tasks"].items()) {
    without([&name = name](Json& smaller) {
      erase_setup_of(smaller, name);
      smaller["tasks"].erase(name);
    });
  }
  for (const auto& [name, task] : document["tasks"].items()) {
    const size_t count = task.is_object() ? task["steps"].size() : task.size();
    for (size_t i = count; i-- > 0;)
      without([&name = name, i](Json& smaller) { steps_of(smaller["tasks"][name]).erase(i); });
  }
  const size_t setup = document.contains("setup") ? document["setup"].size() : 0;
  for (size_t i = setup; i-- > 0;) without([i](Json& smaller) { smaller["setup"].erase(i); });
  for (const char* kind : {"cookies", "volumes", "blobs"}) {
    if (!document.contains(kind)) continue;
    for (const auto& [name, value] : document[kind].items())
      without([kind, &name = name](Json& smaller) { smaller[kind].erase(name); });
  }
  return found;
}

constexpr uint64_t kOthers = 20;

class Shrinker {
 public:
  Shrinker(FindingFile finding, const ShrinkOptions& options)
      : options_(options), best_(std::move(finding)), wanted_(report_signature(best_.report)) {}

  Result<FindingFile> run() {
    const Result<scenario::Scenario> whole = load(best_.scenario);
    if (!whole) return Error{whole.error()};
    const player::Transcript first = play(*whole, best_.schedule);
    if (!first.report || report_signature(*first.report) != wanted_)
      return Error{"/schedule: expected one that leads to the report"};
    Json stripped = best_.scenario;
    strip(stripped, best_.kernel);
    accept(stripped);
    while (take_one_out()) {
    }
    switch_less();
    return std::move(best_);
  }

 private:
  Result<scenario::Scenario> load(const Json& document) const {
    return scenario::load_text(best_.path, document.dump(), options_.load);
  }

  player::Transcript play(const scenario::Scenario& scenario, const Schedule& schedule) const {
    return replay(scenario, options_.profile, schedule, best_.daemon_choices);
  }

  bool take_one_out() {
    for (const Json& candidate : smaller_documents(best_.scenario)) {
      if (stopped()) return false;
      if (accept(candidate)) return true;
    }
    return false;
  }

  bool stopped() const { return options_.stop != nullptr && *options_.stop; }

  bool is_wanted(const player::RunReport& report) const {
    return report_signature(report) == wanted_;
  }

  // Takes the candidate if it still comes to the report.
  bool accept(const Json& document) {
    const Result<scenario::Scenario> scenario = load(document);
    if (!scenario) return false;
    std::optional<Schedule> schedule;
    const player::Transcript same = play(*scenario, best_.schedule);
    if (same.report && is_wanted(*same.report))
      schedule = best_.schedule;
    else
      schedule = search(*scenario);
    if (!schedule) return false;
    schedule = shorten(*scenario, std::move(*schedule));
    const player::Transcript checked = play(*scenario, *schedule);
    if (!checked.report || !is_wanted(*checked.report)) return false;
    best_.scenario = document;
    best_.schedule = std::move(*schedule);
    best_.report = *checked.report;
    if (options_.on_progress) options_.on_progress(best_);
    return true;
  }

  // Other schedules lead to the report with fewer switches.
  void switch_less() {
    const Result<scenario::Scenario> scenario = load(best_.scenario);
    if (!scenario) return;
    for (uint64_t i = 0; i < kOthers && !stopped(); i++) {
      std::optional<Schedule> other = search(*scenario, 1 + i * options_.schedules);
      if (!other) continue;
      other = shorten(*scenario, std::move(*other));
      if (other->size() >= best_.schedule.size()) continue;
      const player::Transcript checked = play(*scenario, *other);
      if (!checked.report || !is_wanted(*checked.report)) continue;
      best_.schedule = std::move(*other);
      best_.report = *checked.report;
    }
  }

  std::optional<Schedule> search(const scenario::Scenario& scenario, uint64_t seed = 1) const {
    for (const Search search : {Search::pct, Search::pos, Search::random}) {
      ExploreOptions exploring;
      exploring.seed = seed;
      exploring.profile = options_.profile;
      exploring.search = search;
      exploring.daemon_choices = best_.daemon_choices;
      exploring.schedules = options_.schedules / 3;
      exploring.stop = options_.stop;
      exploring.is_expected = [this](const player::RunReport& report) {
        return !is_wanted(report);
      };
      const ExploreResult result = explore(scenario, exploring);
      for (const Finding& finding : result.findings)
        if (!finding.expected) return finding.schedule;
    }
    return {};
  }

  Schedule shorten(const scenario::Scenario& scenario, Schedule schedule) const {
    return shrink_schedule(
        scenario, options_.profile,
        [this](const player::RunReport& report) { return is_wanted(report); }, std::move(schedule),
        best_.daemon_choices, options_.stop);
  }

  const ShrinkOptions& options_;
  FindingFile best_;
  const std::string wanted_;
};

}  // namespace

FindingSize size_of(const FindingFile& finding) {
  FindingSize size;
  Json document = finding.scenario;
  size.tasks = document["tasks"].size();
  for (Json& task : document["tasks"]) size.steps += steps_of(task).size();
  if (document.contains("setup")) size.steps += document["setup"].size();
  size.switches = finding.schedule.size();
  return size;
}

Result<FindingFile> shrink(const FindingFile& finding, const ShrinkOptions& options) {
  return Shrinker(finding, options).run();
}

}  // namespace coldread::sim
