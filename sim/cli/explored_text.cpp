// What exploring came to, in words.
#include <fmt/core.h>

#include <algorithm>

#include "sim/cli/explored.h"
#include "sim/cli/run_request.h"
#include "sim/counted.h"

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
  text += fmt::format("  schedule {} (seed {}), {} needed\n", finding.number, finding.seed,
                      finding.schedule.size() == 1
                          ? "1 choice is"
                          : fmt::format("{} choices are", finding.schedule.size()));
  text += fmt::format("  repeat: {}\n", repeat_command(explored.exploration, finding.schedule));
  if (index < explored.columns.size()) text += explored.columns[index];
  return text;
}

// ", 2 found, 1 expected"
std::string findings_text(const std::vector<sim::Finding>& findings) {
  const auto expected =
      std::count_if(findings.begin(), findings.end(), [](const auto& f) { return f.expected; });
  const size_t found = findings.size() - static_cast<size_t>(expected);
  std::string text = found == 0 ? ", none bad" : fmt::format(", {} found", found);
  if (expected != 0) text += fmt::format(", {} expected", expected);
  return text;
}

}  // namespace

std::string repeat_command(const Exploration& exploration, const sim::Schedule& schedule) {
  return fmt::format("coldread run {} --kernel {}{} --schedule {}{}",
                     shell_quoted(exploration.path), exploration.kernel,
                     sim::changes_text(exploration.changes), sim::schedule_text(schedule),
                     exploration.daemon_choices ? " --daemon-choices" : "");
}

std::string explored_text(const Explored& explored, bool with_outcomes) {
  const sim::ExploreResult& result = explored.result;
  std::string text;
  for (size_t i = 0; i < result.findings.size(); i++) text += finding_text(explored, i);
  if (with_outcomes) {
    for (const auto& [key, outcome] : result.outcomes)
      text +=
          fmt::format("outcome {:016x}: {}\n  {}\n", key, counted(outcome.schedules, "schedule"),
                      repeat_command(explored.exploration, outcome.schedule));
  }
  text += fmt::format("{} on {}{}: ", explored.exploration.path, explored.exploration.kernel,
                      shards_text(explored));
  if (result.complete) {
    text += "all " + counted(result.schedules - result.redundant, "interleaving");
    if (explored.exploration.preemptions)
      text += " with at most " + counted(*explored.exploration.preemptions, "preemption");
  } else {
    text += counted(result.schedules, "schedule");
  }
  if (result.interrupted) text += ", interrupted";
  text += findings_text(result.findings);
  return text + fmt::format("; {}, about {}\n", counted(result.outcomes.size(), "outcome"),
                            counted(result.states.estimate(), "state"));
}

}  // namespace coldread::cli
