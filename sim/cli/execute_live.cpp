// One scenario under one profile with real processes, on a real kernel or on the model behind a
// mount, and if asked, next to the simulated run.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "sim/cli/agreement.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/record_text.h"
#include "sim/live/mounted_play.h"

namespace coldread::cli {
namespace {

// Plays take about a second, and every wait in one is looked after; this is for what is not.
constexpr int kMountedLimitMs = 60'000;

sim::RunOptions model_options(const RunRequest& request, const Profile& profile) {
  sim::RunOptions options;
  options.profile = profile.name;
  options.changed_profile = &profile;
  options.strategy = request.strategy;
  options.seed = request.seed;
  return options;
}

// The same where a change is taken back.
std::string why_not_taken_back(const RunRequest& request, const Profile& profile,
                               const player::Transcript& model) {
  if (request.changes.empty()) return {};
  const std::string& change = request.changes.without.front();
  if (!find_profile(std::string(profile.name))->has(find_change(change)->change))
    return fmt::format("this kernel never had {}", change);
  if (model.report && model.report->kind != "hang")
    return fmt::format("without {}: {}, which only the model can see", change, model.report->kind);
  return {};
}

void show_records(const player::Transcript& transcript, const OnLine& on_line) {
  std::multimap<int64_t, std::string> lines;  // in the order in which the calls came back
  for (const auto& [task, records] : transcript.tasks) {
    for (const player::Record& record : records) {
      lines.emplace(record.value("seq", INT64_MAX), record_text(task, record));
    }
  }
  for (const auto& [sequence, line] : lines) on_line(line);
}

void end_without_transcript(Verdict verdict, std::string reason, Outcome& outcome) {
  outcome.verdict = verdict;
  outcome.reason = std::move(reason);
}

live::GuestOptions live_options(const RunContext& context) {
  live::GuestOptions options;
  options.hang_after_ms = static_cast<int>(context.request.hang_after) * 1000;
  options.blob_directories = made_blob_directories();
  options.stop = &context.stop;
  return options;
}

// A transcript, or why there is none.
struct Play {
  Verdict verdict = Verdict::passed;
  std::string reason;
  player::Transcript transcript;
};

Play played(Result<player::Transcript> real) {
  if (!real) return {Verdict::environment, real.error(), {}};
  return {Verdict::passed, "", std::move(*real)};
}

// If the scenario can be expressed there, `make_play` plays it.
template <typename MakePlay>
void execute_live(RunContext& context, const scenario::Scenario& scenario, const Profile& profile,
                  const OnLine& on_line, Outcome& outcome, MakePlay make_play) {
  const RunRequest& request = context.request;
  const sim::RunOptions on_model = model_options(request, profile);
  const player::Transcript model = sim::run(scenario, on_model).transcript;
  const bool mounted = request.on == Target::fuse;
  if (std::string why = mounted ? why_not_mounted(scenario, profile, model, !request.kernel.empty())
                                : why_not_expressible(scenario, profile, model);
      !why.empty() || !(why = why_not_taken_back(request, profile, model)).empty()) {
    if (request.compare) outcome.agreement = Agreement::not_expressible;
    return end_without_transcript(Verdict::skipped, std::move(why), outcome);
  }
  Play play = make_play();
  if (play.verdict != Verdict::passed) {
    if (context.stop) play.verdict = Verdict::skipped;
    return end_without_transcript(play.verdict, std::move(play.reason), outcome);
  }
  const player::Transcript& real = play.transcript;
  if (on_line) show_records(real, on_line);
  if (!request.trace.empty() && real.events) outcome.trace = *real.events;
  // Expectations are of kernels as they are: without a change, only the comparison judges.
  if (request.changes.empty() || !request.compare) judge(scenario, profile, real, outcome);
  if (request.compare) {
    compare_with_model(scenario, on_model, model, {player::comparable(scenario, real)}, outcome);
  }
  outcome.transcript = std::move(play.transcript);
}

}  // namespace

void execute_on_kernel(RunContext& context, const scenario::Scenario& scenario,
                       const Profile& profile, const OnLine& on_line, Outcome& outcome) {
  const sim::Changes& changes = context.request.changes;
  const std::string without = changes.empty() ? "" : changes.without.front();
  execute_live(context, scenario, profile, on_line, outcome, [&]() -> Play {
    const live::KernelLookup kernel = context.kernels.find(profile, scenario, without);
    if (!kernel.image)
      return {kernel.skip ? Verdict::skipped : Verdict::environment, kernel.reason, {}};
    return played(context.kernels.guests().play(*kernel.image, scenario, live_options(context)));
  });
}

void execute_on_fuse(RunContext& context, const scenario::Scenario& scenario,
                     const Profile& profile, const OnLine& on_line, Outcome& outcome) {
  execute_live(context, scenario, profile, on_line, outcome, [&] {
    live::GuestOptions options = live_options(context);
    options.scenario_limit_ms = std::max(kMountedLimitMs, 6 * options.hang_after_ms);
    return played(live::play_mounted(scenario, std::string(profile.name), options));
  });
}

}  // namespace coldread::cli
