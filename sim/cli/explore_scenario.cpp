// Explores, and prints what was found.
#include "sim/cli/explore_scenario.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "sim/cli/execute.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/progress.h"
#include "sim/explore/explore.h"
#include "sim/player/check.h"

namespace coldread::cli {
namespace {

using nlohmann::json;

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
  options.stop = &catch_interrupts();
  return options;
}

// The scenario says that just this shall happen.
bool is_expected(const scenario::Scenario& scenario, const Profile& profile,
                 const sim::Finding& finding) {
  player::Transcript transcript;
  transcript.report = finding.report;
  for (const player::Mismatch& mismatch :
       player::verify(scenario, std::string(profile.name), transcript))
    if (mismatch.pointer.starts_with("/expect/report")) return false;
  return true;
}

std::string repeat_command(const ExploreRequest& request, const Profile& profile,
                           const sim::Schedule& schedule) {
  return fmt::format("coldread run {} --kernel {} --schedule {}", request.path, profile.name,
                     sim::schedule_text(schedule));
}

struct Shown {
  sim::Finding finding;
  bool expected = false;
  sim::Schedule shortest;
};

void print_text(const ExploreRequest& request, const Profile& profile,
                const sim::ExploreResult& result, const std::vector<Shown>& findings) {
  for (const Shown& shown : findings) {
    fmt::print("{}: {}: {}\n", shown.expected ? "expected" : "FOUND", shown.finding.kind,
               shown.finding.report.text);
    for (const std::string& detail : shown.finding.report.details) fmt::print("  {}\n", detail);
    fmt::print("  schedule {} (seed {}), {} choices, {} of them needed\n", shown.finding.number,
               shown.finding.seed, shown.finding.schedule.size(), shown.shortest.size());
    fmt::print("  repeat: {}\n", repeat_command(request, profile, shown.shortest));
  }
  if (request.outcomes) {
    for (const auto& [digest, count] : result.outcomes)
      fmt::print("outcome {}: {} schedules\n", digest, count);
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
  fmt::print("; {} outcomes\n", result.outcomes.size());
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
                 {"outcomes", result.outcomes},
                 {"findings", json::array()}};
  for (const Shown& shown : findings) {
    object["findings"].push_back({{"kind", shown.finding.kind},
                                  {"text", shown.finding.report.text},
                                  {"expected", shown.expected},
                                  {"number", shown.finding.number},
                                  {"seed", shown.finding.seed},
                                  {"schedule", sim::schedule_text(shown.shortest)},
                                  {"repeat", repeat_command(request, profile, shown.shortest)}});
  }
  fmt::print("{}\n", object.dump(2));
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
  options.on_progress = [&](uint64_t schedules, size_t outcomes, size_t findings) {
    progress.show(static_cast<size_t>(schedules),
                  fmt::format("{} outcomes, {} findings", outcomes, findings));
  };
  if (request.format == "text") {
    fmt::print("seed {}, strategy {}, {} on {}\n", request.seed, request.strategy, request.path,
               profile.name);
    fflush(stdout);
  }
  const sim::ExploreResult result = sim::explore(*scenario, options);
  progress.clear();
  std::vector<Shown> findings;
  int exit_code = kPassed;
  for (const sim::Finding& finding : result.findings) {
    const bool expected = is_expected(*scenario, profile, finding);
    findings.push_back({finding, expected,
                        sim::shrink_schedule(*scenario, profile, finding.kind, finding.schedule)});
    if (!expected) exit_code = finding.kind == "hang" ? kHang : kBrokenInvariant;
  }
  if (request.format == "json")
    print_json(request, profile, result, findings);
  else
    print_text(request, profile, result, findings);
  return exit_code;
}

}  // namespace coldread::cli
