// Explores one scenario after the other, and prints what was found in each.
#include "sim/cli/explore_scenarios.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "sim/cli/execute.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/explored.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/finding.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/output_file.h"
#include "sim/cli/progress.h"
#include "sim/counted.h"
#include "sim/explore/check.h"
#include "sim/explore/explore.h"
#include "sim/player/check.h"
#include "sim/replay/replay.h"

namespace coldread::cli {
namespace {

constexpr uint64_t kCheckedSchedules = 1'000;
constexpr uint64_t kAllOfThem = UINT64_MAX;  // dfs without a limit

int complain(const std::string& message) {
  fmt::print(stderr, "coldread: {}\n", message);
  return kBadInput;
}

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

Exploration exploration_of(const ExploreRequest& request, const std::string& path,
                           const std::string& kernel) {
  Exploration exploration;
  exploration.path = path;
  exploration.kernel = kernel;
  exploration.changes = request.changes;
  exploration.strategy = request.strategy;
  exploration.depth = request.depth;
  exploration.preemptions = request.preemptions;
  exploration.seed = request.seed;
  exploration.shards = request.shards;
  exploration.daemon_choices = request.daemon_choices;
  return exploration;
}

// The whole of a finding, as shrink and replay take it.
Result<sim::FindingFile> finding_file(const Exploration& exploration, const sim::Finding& finding) {
  std::ifstream file(exploration.path);
  sim::FindingFile result;
  result.scenario = nlohmann::ordered_json::parse(file, nullptr, false);
  if (result.scenario.is_discarded()) return Error{exploration.path + ": cannot be read again"};
  result.path = exploration.path;
  result.kernel = exploration.kernel;
  result.changes = exploration.changes;
  result.daemon_choices = exploration.daemon_choices;
  result.schedule = finding.schedule;
  result.report = finding.report;
  return result;
}

int check(const ExploreRequest& request, const std::string& path,
          const scenario::Scenario& scenario, sim::ExploreOptions options) {
  if (options.search == sim::Search::dfs) options.search = sim::Search::random;
  if (!request.schedules) options.schedules = kCheckedSchedules;
  const sim::DeterminismCheck check = sim::check_determinism(scenario, options);
  if (check.difference) {
    fmt::print("{}: NOT THE SAME: {}\n", path, *check.difference);
    return kBrokenInvariant;
  }
  const bool interrupted = check.schedules < options.schedules;
  fmt::print("{}: {} schedules played twice{}: the same states\n", path, check.schedules,
             interrupted ? ", interrupted" : "");
  return interrupted ? kInterrupted : kPassed;
}

// Keeps the first finding of several scenarios that nobody expects, or if there is none the first.
class Saver {
 public:
  explicit Saver(std::string path) : path_(std::move(path)) {}

  // False: it could not, and was said.
  bool offer(const Explored& explored) {
    if (path_.empty()) return true;
    for (const bool expected : {false, true}) {
      for (const sim::Finding& finding : explored.result.findings)
        if (finding.expected == expected) return keep(explored.exploration, finding);
    }
    return true;
  }

  void end() const {
    if (!path_.empty() && kept_ == Kept::none)
      fmt::print(stderr, "coldread: --save {}: nothing was found, nothing is written\n", path_);
  }

 private:
  enum class Kept : uint8_t { none, expected, found };

  bool keep(const Exploration& exploration, const sim::Finding& finding) {
    const Kept kind = finding.expected ? Kept::expected : Kept::found;
    if (kept_ >= kind) return true;
    kept_ = kind;
    const auto file = finding_file(exploration, finding);
    if (file) return write_finding(path_, *file);
    fmt::print(stderr, "coldread: {}\n", file.error());
    return false;
  }

  const std::string path_;
  Kept kept_ = Kept::none;
};

// What only one thread does when a scenario was explored: findings made short and drawn.
void tell_findings(const scenario::Scenario& scenario, const Profile& profile, bool daemon_choices,
                   Explored& explored) {
  const std::atomic<bool>& stop = catch_interrupts();
  for (sim::Finding& finding : explored.result.findings) {
    // Another report of the same kind would be another finding.
    const std::string wanted = sim::report_signature(finding.report);
    finding.schedule = sim::shrink_schedule(
        scenario, profile,
        [&](const player::RunReport& report) { return sim::report_signature(report) == wanted; },
        finding.schedule, daemon_choices, &stop);
    const sim::ReplayOptions replay{profile, finding.schedule, daemon_choices, {}, ""};
    explored.columns.push_back(sim::columns(sim::look_at(scenario, replay)));
  }
}

class Session {
 public:
  Session(const ExploreRequest& request, size_t files)
      : request_(request), several_(files > 1), saver_(request.save) {
    if (request.format != "text") return;
    fmt::print("seed {}, strategy {}\n", request.seed, request.strategy);
    fflush(stdout);
  }

  // The exit code.
  int explore(const std::string& path) {
    const Result<scenario::Scenario> scenario = scenario::load_file(path, load_options());
    if (!scenario) return complain(scenario.error());
    const std::string kernel = request_.kernel.empty() ? scenario->kernels.back() : request_.kernel;
    if (!scenario->unavailable.empty()) {
      fmt::print(stderr, "coldread: {}: skipped: {}\n", path, scenario->unavailable);
      return kAllSkipped;
    }
    const Profile profile = sim::changed(*find_profile(kernel), request_.changes);
    sim::ExploreOptions options = options_of(request_, profile);
    options.is_expected = [&](const player::RunReport& report) {
      return is_expected(*scenario, profile, report);
    };
    Progress progress(options.schedules == kAllOfThem ? 0 : options.schedules);
    options.on_progress = [&](const sim::ExploreProgress& at) {
      progress.show(static_cast<size_t>(at.schedules), progress_text(path, at));
    };
    if (request_.check) return check(request_, path, *scenario, options);
    Explored explored{exploration_of(request_, path, kernel), {request_.shard}, {}, {}};
    explored.result = sim::explore(*scenario, options);
    progress.clear();
    tell_findings(*scenario, profile, request_.daemon_choices, explored);
    if (request_.format == "json")
      fmt::print("{}\n", explored_json(explored));
    else
      fmt::print("{}", explored_text(explored, request_.outcomes));
    fflush(stdout);
    add(explored.result);
    return saver_.offer(explored) ? exit_code_of(explored) : kBadInput;
  }

  void end() {
    if (scenarios_ != 0) saver_.end();
    if (!several_ || request_.format != "text" || request_.check) return;
    fmt::print("{}: {}, {} found, {} expected; about {}\n", counted(scenarios_, "scenario"),
               counted(schedules_, "schedule"), found_, expected_, counted(states_, "state"));
  }

 private:
  std::string progress_text(const std::string& path, const sim::ExploreProgress& at) const {
    const double rate = at.seconds > 0 ? static_cast<double>(at.schedules) / at.seconds : 0;
    return fmt::format("{:.0f}/s, {} states, {} outcomes, {} findings {}", rate, at.states,
                       at.outcomes, at.findings, several_ ? path : "");
  }

  void add(const sim::ExploreResult& result) {
    scenarios_++;
    schedules_ += result.schedules;
    states_ += result.states.estimate();
    for (const sim::Finding& finding : result.findings) (finding.expected ? expected_ : found_)++;
  }

  const ExploreRequest& request_;
  const bool several_;
  Saver saver_;
  uint64_t scenarios_ = 0, schedules_ = 0, states_ = 0, found_ = 0, expected_ = 0;
};

}  // namespace

int explore_scenarios(const ExploreRequest& request) {
  const Result<std::vector<std::string>> files = find_scenarios(request.paths, "");
  if (!files) return complain(files.error());
  if (const Status place = request.save.empty() ? Nothing{} : check_writable(request.save); !place)
    return complain("--save " + place.error());
  Session session(request, files->size());
  const std::atomic<bool>& stop = catch_interrupts();
  int exit_code = kAllSkipped;
  for (const std::string& path : *files) {
    exit_code = worse(exit_code, session.explore(path));
    if (stop) break;
  }
  session.end();
  return stop ? worse(exit_code, kInterrupted) : exit_code;
}

}  // namespace coldread::cli
