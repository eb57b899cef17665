// What exploring came to, in words.
#include <fmt/core.h>

#include "sim/cli/explored.h"

namespace coldread::cli {
namespace {

// "shards 0, 2 of 4"; empty: all of them.
std::string shards_text(const Explored& explored) {
  if (explored.done.size() == explored.exploration.shards) return {};
  std::string list;
  for (const uint64_t shard : explored.done)
    list += fmt::format("{}{}", list.empty() ? "" : ", ", shard);
  return fmt::format(", shard{} {} of {}", explored.done.size() == 1 ? "" : "s", list,
                     explored.exploration.shards);
}

std::string finding_text(const Explored& explored, size_t index) {
  const sim::Finding& finding = explored.result.findings[index];
  std::string text = fmt::format("{}: {}: {}\n", finding.expected ? "expected" : "FOUND",
                                 finding.kind, finding.report.text);
  for (const std::string& detail : finding.report.details) text += fmt::format("  {}\n", detail);
  text += fmt::format("  schedule {} (seed {}), {} choices are needed\n", finding.number,
                      finding.seed, finding.schedule.size());
  text += fmt::format("  repeat: {}\n", repeat_command(explored.exploration, finding.schedule));
  if (!finding.expected && index < explored.columns.size()) text += explored.columns[index];
  return text;
}

}  // namespace

std::string repeat_command(const Exploration& exploration, const sim::Schedule& schedule) {
  return fmt::format("coldread run {} --kernel {}{} --schedule {}{}", exploration.path,
                     exploration.kernel, sim::changes_text(exploration.changes),
                     sim::schedule_text(schedule),
                     exploration.daemon_choices ? " --daemon-choices" : "");
}

std::string explored_text(const Explored& explored, bool with_outcomes) {
  const sim::ExploreResult& result = explored.result;
  std::string text;
  for (size_t i = 0; i < result.findings.size(); i++) text += finding_text(explored, i);
  if (with_outcomes) {
    for (const auto& [key, outcome] : result.outcomes)
      text += fmt::format("outcome {:016x}: {} schedules\n  {}\n", key, outcome.schedules,
                          repeat_command(explored.exploration, outcome.schedule));
  }
  text += fmt::format("{} on {}{}: ", explored.exploration.path, explored.exploration.kernel,
                      shards_text(explored));
  if (result.complete) {
    text += fmt::format("all {} interleavings", result.schedules - result.redundant);
    if (explored.exploration.preemptions)
      text += fmt::format(" with at most {} preemptions", *explored.exploration.preemptions);
  } else {
    text += fmt::format("{} schedules", result.schedules);
  }
  if (result.interrupted) text += ", interrupted";
  text += result.findings.empty() ? std::string(", none bad")
                                  : fmt::format(", {} found", result.findings.size());
  return text + fmt::format("; {} outcomes, about {} states\n", result.outcomes.size(),
                            result.states.estimate());
}

}  // namespace coldread::cli
