#include "sim/cli/agreement.h"

#include <fmt/core.h>

#include <algorithm>

#include "sim/explore/strategies.h"

namespace coldread::cli {
namespace {

// How many interleavings of the model are tried: to tell a race, and, of each kind, before a
// difference is one. Chance alone hardly ever keeps a task waiting until others have finished;
// priorities do.
constexpr uint64_t kInterleavings = 64;
constexpr uint64_t kMostInterleavings = 1000;
constexpr unsigned kDepth = 3;
constexpr uint64_t kDecisions = 200;  // of a run, about

// Another run of the same kernel.
sim::RunOptions same_kernel(const sim::RunOptions& as) {
  sim::RunOptions options;
  options.profile = as.profile;
  options.changed_profile = as.changed_profile;
  return options;
}

nlohmann::json transcript_of(const scenario::Scenario& scenario, const sim::RunOptions& as,
                             uint64_t seed) {
  sim::RunOptions options = same_kernel(as);
  options.strategy = sim::Strategy::random;
  options.seed = seed;
  return player::comparable(scenario, sim::run(scenario, options).transcript);
}

nlohmann::json transcript_of(const scenario::Scenario& scenario, const sim::RunOptions& as,
                             sim::PctStrategy& strategy) {
  sim::RunOptions options = same_kernel(as);
  options.scheduling = &strategy;
  return player::comparable(scenario, sim::run(scenario, options).transcript);
}

bool any_step(const scenario::Scenario& scenario, bool (*is)(const scenario::Step& step)) {
  return std::ranges::any_of(scenario.tasks, [is](const scenario::TaskSpec& task) {
    return std::ranges::any_of(task.steps, is);
  });
}

bool treats_the_disk_badly(const scenario::Step& step) {
  const scenario::DiskOperation operation = step.disk.operation;
  return step.verb == scenario::Verb::disk && (operation == scenario::DiskOperation::fill ||
                                               operation == scenario::DiskOperation::remount ||
                                               operation == scenario::DiskOperation::freeze);
}

bool lacks_memory(const scenario::Step& step) {
  return step.memory != Allocation::none;
}

std::string why_only_the_model(const scenario::Scenario& scenario, const Profile& profile,
                               const player::Transcript& model) {
  if (!scenario.model_only.empty()) return scenario.model_only;
  const bool found = model.report && model.report->kind != "hang";
  if (found && player::verify(scenario, std::string(profile.name), model).empty()) {
    return fmt::format("it expects {}, which only the model can see", model.report->kind);
  }
  return {};
}

// Takes away what is equal to `model`; whether anything is left.
bool any_left(const nlohmann::json& model, std::vector<nlohmann::json>& seen) {
  std::erase_if(seen,
                [&](const nlohmann::json& real) { return player::compare(model, real).empty(); });
  return !seen.empty();
}

}  // namespace

std::string why_not_expressible(const scenario::Scenario& scenario, const Profile& profile,
                                const player::Transcript& model) {
  if (profile.kernel_series.empty()) return "no real kernel can be built for this profile";
  return why_only_the_model(scenario, profile, model);
}

std::string why_not_mounted(const scenario::Scenario& scenario, const Profile& profile,
                            const player::Transcript& model, bool asked_for) {
  if (profile.derived && !asked_for)
    return "a derived profile hangs and spins where its bugs do: mounted if --kernel asks for it";
  if (scenario.cache_bytes != scenario::Scenario().cache_bytes || scenario.cache_inodes != 0 ||
      scenario.cache_block != scenario::Scenario().cache_block)
    return "it wants a disk of its own size";
  if (any_step(scenario, treats_the_disk_badly)) return "it wants a disk of its own";
  if (scenario.security) return "it wants a kernel with CONFIG_SECURITY";
  if (any_step(scenario, lacks_memory))
    return "a mounted model cannot be told that memory runs out";
  return why_only_the_model(scenario, profile, model);
}

void compare_with_model(const scenario::Scenario& scenario, const sim::RunOptions& options,
                        const player::Transcript& model, const std::vector<nlohmann::json>& seen,
                        Outcome& outcome) {
  outcome.agreement = Agreement::agree;
  const nlohmann::json first = player::comparable(scenario, model);
  std::vector<nlohmann::json> left = seen;
  if (!any_left(first, left)) return;
  for (uint64_t seed = 1; seed <= kMostInterleavings; ++seed) {
    if (any_left(transcript_of(scenario, options, seed), left)) continue;
    outcome.reason = fmt::format("as --strategy random --seed {}", seed);
    return;
  }
  for (uint64_t seed = 1; seed <= kMostInterleavings; ++seed) {
    sim::PctStrategy strategy(seed, kDepth, kDecisions);
    strategy.keep_schedule();
    if (any_left(transcript_of(scenario, options, strategy), left)) continue;
    outcome.reason = fmt::format("as --schedule {}", sim::schedule_text(strategy.schedule()));
    return;
  }
  outcome.agreement = Agreement::differ;
  outcome.differences = player::compare(first, left.front());
  if (outcome.verdict == Verdict::passed) outcome.verdict = Verdict::failed;
}

bool is_race(const scenario::Scenario& scenario, const std::string& profile) {
  sim::RunOptions options;
  options.profile = profile;
  const nlohmann::json first = transcript_of(scenario, options, 0);
  for (uint64_t seed = 1; seed <= kInterleavings; ++seed) {
    if (transcript_of(scenario, options, seed) != first) return true;
  }
  return false;
}

}  // namespace coldread::cli
