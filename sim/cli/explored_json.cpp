// A part can only be added to others if it says which states it saw, not just how many: a part of
// several does, in 16 KiB.
#include <fmt/core.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "sim/cli/explored.h"
#include "sim/scenario/json_text.h"
#include "sim/scenario/node.h"

namespace coldread::cli {
namespace {

using nlohmann::ordered_json;
using scenario::Fields;
using scenario::Node;

constexpr uint64_t kMost = UINT64_MAX >> 1;
constexpr size_t kMaxText = size_t{1} << 20;
constexpr size_t kMaxMembers = 1'000'000;

ordered_json findings_json(const Explored& explored) {
  ordered_json array = ordered_json::array();
  for (const sim::Finding& finding : explored.result.findings)
    array.push_back({{"kind", finding.kind},
                     {"text", finding.report.text},
                     {"details", finding.report.details},
                     {"expected", finding.expected},
                     {"number", finding.number},
                     {"seed", finding.seed},
                     {"schedule", sim::schedule_text(finding.schedule)},
                     {"repeat", repeat_command(explored.exploration, finding.schedule)}});
  return array;
}

ordered_json outcomes_json(const Explored& explored) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, outcome] : explored.result.outcomes)
    object[fmt::format("{:016x}", key)] = {
        {"schedules", outcome.schedules},
        {"number", outcome.number},
        {"seed", outcome.seed},
        {"schedule", sim::schedule_text(outcome.schedule)},
        {"repeat", repeat_command(explored.exploration, outcome.schedule)}};
  return object;
}

std::vector<std::string> strings(const Node& node) {
  std::vector<std::string> result;
  for (const Node& element : node.elements(kMaxMembers)) result.push_back(element.string(kMaxText));
  return result;
}

sim::Schedule schedule_of(const Node& node) {
  const Result<sim::Schedule> schedule = sim::parse_schedule(node.string(kMaxText));
  if (!schedule) node.fail("a schedule: " + schedule.error());
  return *schedule;
}

sim::Finding finding_of(const Node& node) {
  Fields fields(node, "a finding");
  sim::Finding finding;
  finding.kind = fields.need("kind").string(kMaxText);
  finding.report = {finding.kind, fields.need("text").string(kMaxText),
                    strings(fields.need("details"))};
  finding.expected = fields.need("expected").boolean();
  finding.number = fields.need("number").number(kMost);
  finding.seed = fields.need("seed").number(UINT64_MAX);
  finding.schedule = schedule_of(fields.need("schedule"));
  fields.find("repeat");
  fields.done();
  return finding;
}

sim::Outcome outcome_of(const Node& node) {
  Fields fields(node, "an outcome");
  sim::Outcome outcome;
  outcome.schedules = fields.need("schedules").number(kMost);
  outcome.number = fields.need("number").number(kMost);
  outcome.seed = fields.need("seed").number(UINT64_MAX);
  outcome.schedule = schedule_of(fields.need("schedule"));
  fields.find("repeat");
  fields.done();
  return outcome;
}

uint64_t key_of(const std::string& name, const Node& node) {
  uint64_t key = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), key, 16);
  if (error != std::errc() || end != name.data() + name.size())
    node.fail("an outcome's name of 16 hex digits", name);
  return key;
}

Exploration exploration_of(Fields& fields) {
  Exploration result;
  result.path = fields.need("scenario").string(kMaxText);
  const Node kernel = fields.need("kernel");
  result.kernel = kernel.string(kMaxText);
  if (find_profile(result.kernel) == nullptr) kernel.fail("a profile (see `coldread profiles`)");
  result.changes = {strings(fields.need("with")), strings(fields.need("without"))};
  result.strategy = fields.need("strategy").string(kMaxText);
  result.depth = static_cast<unsigned>(fields.need("depth").number(UINT32_MAX));
  if (const auto bound = fields.find("preemptions"))
    result.preemptions = static_cast<unsigned>(bound->number(UINT32_MAX));
  result.seed = fields.need("seed").number(UINT64_MAX);
  result.shards = fields.need("shards").number(kMost);
  result.daemon_choices = fields.need("daemon_choices").boolean();
  return result;
}

void restore_states(const Node& node, sim::DistinctCount& states) {
  if (!states.restore(node.string(kMaxText))) node.fail("what `explore --shard` wrote");
}

Explored explored_of(const Node& node) {
  Fields fields(node, "an exploration");
  Explored explored;
  explored.exploration = exploration_of(fields);
  for (const Node& shard : fields.need("done").elements(kMaxMembers))
    explored.done.insert(shard.number(explored.exploration.shards - 1));
  sim::ExploreResult& result = explored.result;
  result.schedules = fields.need("schedules").number(kMost);
  result.redundant = fields.need("redundant").number(kMost);
  result.complete = fields.need("complete").boolean();
  if (const auto interrupted = fields.find("interrupted"))
    result.interrupted = interrupted->boolean();
  result.decisions = fields.need("decisions").number(kMost);
  fields.find("states");
  if (explored.exploration.shards > 1) restore_states(fields.need("states_seen"), result.states);
  for (const auto& [name, outcome] : fields.need("outcomes").members(kMaxMembers))
    result.outcomes[key_of(name, outcome)] = outcome_of(outcome);
  for (const Node& finding : fields.need("findings").elements(kMaxMembers))
    result.findings.push_back(finding_of(finding));
  fields.done();
  return explored;
}

}  // namespace

std::string explored_json(const Explored& explored) {
  const Exploration& exploration = explored.exploration;
  const sim::ExploreResult& result = explored.result;
  ordered_json object = {
      {"scenario", exploration.path},     {"kernel", exploration.kernel},
      {"with", exploration.changes.with}, {"without", exploration.changes.without},
      {"strategy", exploration.strategy}, {"depth", exploration.depth}};
  if (exploration.preemptions) object["preemptions"] = *exploration.preemptions;
  object.update({{"seed", exploration.seed},
                 {"shards", exploration.shards},
                 {"done", explored.done},
                 {"daemon_choices", exploration.daemon_choices},
                 {"schedules", result.schedules},
                 {"redundant", result.redundant},
                 {"complete", result.complete},
                 {"decisions", result.decisions},
                 {"states", result.states.estimate()},
                 {"outcomes", outcomes_json(explored)},
                 {"findings", findings_json(explored)}});
  if (result.interrupted) object["interrupted"] = true;
  if (exploration.shards > 1) object["states_seen"] = result.states.text();
  return object.dump();
}

Result<Explored> parse_explored(const std::string& place, const std::string& line) {
  const Result<ordered_json> json = scenario::parse_json(line);
  if (!json) return Error{place + ": " + json.error()};
  try {
    return explored_of(Node(*json, ""));
  } catch (const scenario::BadInput& bad) {
    return Error{
        fmt::format("{}: {}: {}", place, bad.pointer.empty() ? "/" : bad.pointer, bad.message)};
  }
}

}  // namespace coldread::cli
