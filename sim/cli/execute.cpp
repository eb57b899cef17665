// Loads, picks the profiles, runs each, judges.
#include "sim/cli/execute.h"

#include <fmt/core.h>

#include <algorithm>
#include <exception>

#include "sim/cli/agreement.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/record_text.h"
#include "sim/cli/replay_recording.h"

namespace coldread::cli {
namespace {

constexpr size_t kLastEvents = 6;  // of each task, shown with a failure

Outcome without_run(const std::string& path, const std::string& profile, Verdict verdict,
                    std::string reason) {
  Outcome outcome;
  outcome.path = path;
  outcome.profile = profile;
  outcome.verdict = verdict;
  outcome.reason = std::move(reason);
  return outcome;
}

Outcome run_one(RunContext& context, const scenario::Scenario& scenario, const std::string& path,
                const std::string& profile_name, const OnLine& on_line) {
  if (!scenario.unavailable.empty()) {
    return without_run(path, profile_name, Verdict::skipped, scenario.unavailable);
  }
  const Profile* profile = find_profile(profile_name);  // the loader knows all of them
  Outcome outcome;
  outcome.path = path;
  outcome.profile = profile_name;
  outcome.repeat = repeat_command(context.request, path, profile_name);
  if (on_line) on_line(fmt::format("{}  {}", path, profile_name));
  try {
    if (context.request.on == Target::sim) {
      execute_on_sim(context, scenario, sim::changed(*profile, context.request.changes), on_line,
                     outcome);
    } else if (context.request.on == Target::fuse) {
      execute_on_fuse(context, scenario, *profile, on_line, outcome);
    } else {
      execute_on_kernel(context, scenario, sim::changed(*profile, context.request.changes), on_line,
                        outcome);
    }
  } catch (const std::exception& error) {  // memory, threads, the console
    outcome.verdict = Verdict::environment;
    outcome.reason = error.what();
  }
  return outcome;
}

// --recorded: the answers of real kernels that were written down.
void compare_with_recording(const RunContext& context, const scenario::Scenario& scenario,
                            const Profile& profile, const sim::RunOptions& options,
                            const player::Transcript& model, Outcome& outcome) {
  if (!why_not_expressible(scenario, profile, model).empty()) {
    outcome.agreement = Agreement::not_expressible;
    return;
  }
  const recordings::Recording* recording =
      context.recorded.find(std::string(profile.name), recordings::scenario_name(outcome.path));
  if (recording != nullptr && recording->digest == scenario.digest) {
    return compare_with_model(scenario, options, model, recording->seen, outcome);
  }
  outcome.agreement = Agreement::differ;
  outcome.reason = recording == nullptr
                       ? "no real kernel's answers are recorded: see coldread record --help"
                       : "it changed since a real kernel's answers were recorded";
  if (outcome.verdict == Verdict::passed) outcome.verdict = Verdict::failed;
}

}  // namespace

scenario::LoadOptions load_options() {
  scenario::LoadOptions options;
  for (const std::string& directory : made_blob_directories()) {
    options.blob_directories.emplace_back(directory);
  }
  for (const Profile& profile : profiles()) options.known_kernels.emplace_back(profile.name);
  return options;
}

void execute(RunContext& context, const std::string& path, const OnLine& on_line,
             const OnOutcome& on_outcome) {
  if (is_recording(path)) return on_outcome(replay_recording(context, path, on_line));
  const Result<scenario::Scenario> scenario = scenario::load_file(path, load_options());
  if (!scenario) return on_outcome(without_run(path, "", Verdict::bad_input, scenario.error()));

  const std::vector<std::string>& listed = scenario->kernels;
  const std::string& wanted = context.request.kernel;
  if (wanted.empty()) {
    for (const std::string& profile : listed) {
      if (context.stop) return;
      on_outcome(run_one(context, *scenario, path, profile, on_line));
    }
  } else if (std::find(listed.begin(), listed.end(), wanted) == listed.end()) {
    on_outcome(
        without_run(path, wanted, Verdict::skipped, "the scenario does not list this profile"));
  } else {
    on_outcome(run_one(context, *scenario, path, wanted, on_line));
  }
}

void judge(const scenario::Scenario& scenario, const Profile& profile,
           const player::Transcript& transcript, Outcome& outcome) {
  outcome.mismatches = player::verify(scenario, std::string(profile.name), transcript);
  if (outcome.mismatches.empty()) return;
  const auto about_report = [](const player::Mismatch& mismatch) {
    return mismatch.pointer.starts_with("/expect/report");
  };
  const bool unexpected = transcript.report && std::any_of(outcome.mismatches.begin(),
                                                           outcome.mismatches.end(), about_report);
  // What else such a run misses, it misses because the report ended it.
  if (!unexpected) {
    outcome.verdict = Verdict::failed;
  } else {
    outcome.verdict = transcript.report->kind == "hang" ? Verdict::hung : Verdict::broken;
  }
}

void execute_on_sim(const RunContext& context, const scenario::Scenario& scenario,
                    const Profile& profile, const OnLine& on_line, Outcome& outcome) {
  const RunRequest& request = context.request;
  sim::RunOptions options;
  options.profile = profile.name;
  options.changed_profile = &profile;
  options.strategy = request.strategy;
  options.seed = request.seed;
  options.history = kLastEvents;
  options.daemon_choices = request.daemon_choices;
  std::optional<sim::ReplayStrategy> schedule;
  if (request.schedule) options.scheduling = &schedule.emplace(*request.schedule);
  if (!request.trace.empty()) {
    options.on_trace = [&](std::string_view line) { outcome.trace.emplace_back(line); };
  }
  if (on_line) {
    options.on_record = [&](const std::string& task, const player::Record& record) {
      on_line(record_text(task, record));
    };
  }
  sim::RunResult result = sim::run(scenario, options);
  judge(scenario, profile, result.transcript, outcome);
  if (!request.recorded.empty()) {
    compare_with_recording(context, scenario, profile, options, result.transcript, outcome);
  }
  outcome.transcript = std::move(result.transcript);
  outcome.last_events = std::move(result.last_events);
}

}  // namespace coldread::cli
