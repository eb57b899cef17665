// Explores, and prints what was found.
#include "sim/cli/explore_scenario.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "sim/cli/execute.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/finding.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/progress.h"
#include "sim/explore/check.h"
#include "sim/explore/explore.h"
#include "sim/player/check.h"
#include "sim/replay/replay.h"

namespace coldread::cli {
namespace {

using nlohmann::json;

constexpr uint64_t kCheckedSchedules = 1'000;
constexpr uint64_t kAllOfThem = UINT64_MAX;  // dfs without a limit

sim::Search search_of(const std::string& name) {
  for (const sim::Search search : {sim::Search::random, sim::Search::pct, sim::Search::pos})
    if (name == sim::search_name(search)) return search;
  return sim::Search::dfs;
}

sim::ExploreOptions options_of(const ExploreRequest& request, const Profile& profile) {
  sim::ExploreOptions options;
  options.profile = profile;
  options.search = search_of(request.strategy);
  options.depth = request.depth;
  options.preemptions = request.preemptions;
  options.seed = request.seed;
  const bool dfs = options.search == sim::Search::dfs;
  options.schedules = request.schedules.value_or(dfs ? kAllOfThem : options.schedules);
  options.seconds = request.seconds;
  options.jobs =
      request.jobs != 0 ? request.jobs : std::max(1u, std::thread::hardware_concurrency());
  options.shard = request.shard;
  options.shards = request.shards;
  options.keep_going = request.keep_going;
  options.daemon_choices = request.daemon_choices;
  options.stop = &catch_interrupts();
  return options;
}

// The scenario says that just this shall happen.
bool is_expected(const scenario::Scenario& scenario, const Profile& profile,
                 const player::RunReport& report) {
  player::Transcript transcript;
  transcript.report = report;
  for (const player::Mismatch& mismatch :
       player::verify(scenario, std::string(profile.name), transcript))
    if (mismatch.pointer.starts_with("/expect/report")) return false;
  return true;
}

std::string repeat_command(const ExploreRequest& request, const Profile& profile,
                           const sim::Schedule& schedule) {
  return fmt::format("coldread run {} --kernel {} --schedule {}{}", request.path, profile.name,
                     sim::schedule_text(schedule),
                     request.daemon_choices ? " --daemon-choices" : "");
}

// The whole of a finding, as shrink and replay take it.
Result<sim::FindingFile> finding_file(const ExploreRequest& request, const Profile& profile,
                                      const sim::Finding& finding, const sim::Schedule& schedule) {
  std::ifstream file(request.path);
  sim::FindingFile result;
  result.scenario = nlohmann::ordered_json::parse(file, nullptr, false);
  if (result.scenario.is_discarded()) return Error{request.path + ": cannot be read again"};
  result.path = request.path;
  result.kernel = profile.name;
  result.daemon_choices = request.daemon_choices;
  result.schedule = schedule;
  result.report = finding.report;
  return result;
}

struct Shown {
  sim::Finding finding;
  sim::Schedule shortest;
  std::string columns;
};

void print_text(const ExploreRequest& request, const Profile& profile,
                const sim::ExploreResult& result, const std::vector<Shown>& findings) {
  for (const Shown& shown : findings) {
    fmt::print("{}: {}: {}\n", shown.finding.expected ? "expected" : "FOUND", shown.finding.kind,
               shown.finding.report.text);
    for (const std::string& detail : shown.finding.report.details) fmt::print("  {}\n", detail);
    fmt::print("  schedule {} (seed {}), {} choices, {} of them needed\n", shown.finding.number,
               shown.finding.seed, shown.finding.schedule.size(), shown.shortest.size());
    fmt::print("  repeat: {}\n", repeat_command(request, profile, shown.shortest));
    if (!shown.finding.expected) fmt::print("{}", shown.columns);
  }
  if (request.outcomes) {
    for (const auto& [key, outcome] : result.outcomes) {
      fmt::print("outcome {:016x}: {} schedules\n  {}\n", key, outcome.schedules,
                 repeat_command(request, profile, outcome.schedule));
    }
  }
  const std::string found =
      findings.empty() ? "none bad" : fmt::format("{} found", findings.size());
  if (result.complete) {
    const std::string bound =
        request.preemptions ? fmt::format(" with at most {} preemptions", *request.preemptions)
                            : "";
    fmt::print("all {} interleavings{}, {}", result.schedules - result.redundant, bound, found);
  } else {
    fmt::print("{} schedules, {}", result.schedules, found);
  }
  fmt::print("; {} outcomes, about {} states\n", result.outcomes.size(), result.states.estimate());
}

void print_json(const ExploreRequest& request, const Profile& profile,
                const sim::ExploreResult& result, const std::vector<Shown>& findings) {
  json object = {{"scenario", request.path},
                 {"kernel", profile.name},
                 {"strategy", request.strategy},
                 {"seed", request.seed},
                 {"shard", fmt::format("{}/{}", request.shard, request.shards)},
                 {"schedules", result.schedules},
                 {"redundant", result.redundant},
                 {"complete", result.complete},
                 {"decisions", result.decisions},
                 {"states", result.states.estimate()},
                 {"outcomes", json::object()},
                 {"findings", json::array()}};
  for (const auto& [key, outcome] : result.outcomes) {
    object["outcomes"][fmt::format("{:016x}", key)] = {
        {"schedules", outcome.schedules},
        {"repeat", repeat_command(request, profile, outcome.schedule)}};
  }
  for (const Shown& shown : findings) {
    object["findings"].push_back({{"kind", shown.finding.kind},
                                  {"text", shown.finding.report.text},
                                  {"expected", shown.finding.expected},
                                  {"number", shown.finding.number},
                                  {"seed", shown.finding.seed},
                                  {"schedule", sim::schedule_text(shown.shortest)},
                                  {"repeat", repeat_command(request, profile, shown.shortest)}});
  }
  fmt::print("{}\n", object.dump(2));
}

int check(const ExploreRequest& request, const scenario::Scenario& scenario,
          sim::ExploreOptions options) {
  if (options.search == sim::Search::dfs) options.search = sim::Search::random;
  if (!request.schedules) options.schedules = kCheckedSchedules;
  if (const auto difference = sim::check_determinism(scenario, options)) {
    fmt::print("NOT THE SAME: {}\n", *difference);
    return kBrokenInvariant;
  }
  fmt::print("{} schedules played twice: the same states\n", options.schedules);
  return kPassed;
}

// The first one that nobody expects.
bool save(const ExploreRequest& request, const Profile& profile,
          const std::vector<Shown>& findings) {
  const auto first = std::find_if(findings.begin(), findings.end(),
                                  [](const Shown& shown) { return !shown.finding.expected; });
  if (request.save.empty() || first == findings.end()) return true;
  const auto file = finding_file(request, profile, first->finding, first->shortest);
  if (!file) {
    fmt::print(stderr, "coldread: {}\n", file.error());
    return false;
  }
  return write_finding(request.save, *file);
}

}  // namespace

int explore_scenario(const ExploreRequest& request) {
  const Result<scenario::Scenario> scenario = scenario::load_file(request.path, load_options());
  if (!scenario) {
    fmt::print(stderr, "coldread: {}\n", scenario.error());
    return kBadInput;
  }
  const Profile& profile =
      *find_profile(request.kernel.empty() ? scenario->kernels.back() : request.kernel);
  sim::ExploreOptions options = options_of(request, profile);
  Progress progress(options.schedules == kAllOfThem ? 0 : options.schedules);
  options.is_expected = [&](const player::RunReport& report) {
    return is_expected(*scenario, profile, report);
  };
  options.on_progress = [&](const sim::ExploreProgress& at) {
    const double rate = at.seconds > 0 ? static_cast<double>(at.schedules) / at.seconds : 0;
    progress.show(static_cast<size_t>(at.schedules),
                  fmt::format("{:.0f}/s, {} states, {} outcomes, {} findings", rate, at.states,
                              at.outcomes, at.findings));
  };
  if (request.format == "text") {
    fmt::print("seed {}, strategy {}, {} on {}\n", request.seed, request.strategy, request.path,
               profile.name);
    fflush(stdout);
  }
  if (request.check) return check(request, *scenario, options);
  const sim::ExploreResult result = sim::explore(*scenario, options);
  progress.clear();
  std::vector<Shown> findings;
  int exit_code = kPassed;
  for (const sim::Finding& finding : result.findings) {
    const sim::Schedule shortest = sim::shrink_schedule(
        *scenario, profile,
        [&](const player::RunReport& report) { return report.kind == finding.kind; },
        finding.schedule, request.daemon_choices);
    const sim::ReplayOptions replay{profile, shortest, request.daemon_choices, {}, ""};
    findings.push_back({finding, shortest, sim::columns(sim::look_at(*scenario, replay))});
    if (!finding.expected) exit_code = finding.kind == "hang" ? kHang : kBrokenInvariant;
  }
  if (request.format == "json")
    print_json(request, profile, result, findings);
  else
    print_text(request, profile, result, findings);
  if (!save(request, profile, findings)) return kBadInput;
  return exit_code;
}

}  // namespace coldread::cli
