// One scenario under one profile on a real kernel, and if asked, next to the model.
#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "sim/cli/agreement.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/record_text.h"

namespace coldread::cli {
namespace {

sim::RunOptions model_options(const RunRequest& request, const Profile& profile) {
  sim::RunOptions options;
  options.profile = profile.name;
  options.strategy = request.strategy;
  options.seed = request.seed;
  return options;
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

}  // namespace

void execute_on_kernel(RunContext& context, const scenario::Scenario& scenario,
                       const Profile& profile, const OnLine& on_line, Outcome& outcome) {
  const RunRequest& request = context.request;
  const sim::RunOptions on_model = model_options(request, profile);
  const player::Transcript model = sim::run(scenario, on_model).transcript;
  if (std::string why = why_not_expressible(scenario, profile, model); !why.empty()) {
    if (request.compare) outcome.agreement = Agreement::not_expressible;
    return end_without_transcript(Verdict::skipped, std::move(why), outcome);
  }
  const live::KernelLookup kernel = context.kernels.find(profile);
  if (!kernel.image) {
    const Verdict verdict = kernel.skip ? Verdict::skipped : Verdict::environment;
    return end_without_transcript(verdict, kernel.reason, outcome);
  }
  live::GuestOptions options;
  options.hang_after_ms = static_cast<int>(request.hang_after) * 1000;
  options.blob_directories = made_blob_directories();
  options.stop = &context.stop;
  Result<player::Transcript> real = context.kernels.guests().play(*kernel.image, scenario, options);
  if (!real) {
    const Verdict verdict = context.stop ? Verdict::skipped : Verdict::environment;
    return end_without_transcript(verdict, real.error(), outcome);
  }
  if (on_line) show_records(*real, on_line);
  judge(scenario, profile, *real, outcome);
  if (request.compare) compare_with_model(scenario, on_model, model, {real->canonical()}, outcome);
  outcome.transcript = std::move(*real);
}

}  // namespace coldread::cli
