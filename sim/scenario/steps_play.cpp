// The steps that hold a play together: who waits for whom, who ends.
#include <algorithm>

#include "sim/scenario/steps_reader.h"

namespace coldread::scenario {
namespace {

constexpr size_t kMaxBarriers = 1000;

void read_sleep(Reader r) {
  r.step.timeout_ms = static_cast<int64_t>(r.fields.need("ms").number(kMaxMs));
}

void read_barrier(Reader r) {
  const std::string name = r.fields.need("name").name();
  auto& barriers = r.names.barriers;
  const auto found = std::find(barriers.begin(), barriers.end(), name);
  r.step.barrier = static_cast<int>(found - barriers.begin());
  if (found != barriers.end()) return;
  if (barriers.size() == kMaxBarriers)
    r.fields.node().fail("at most " + std::to_string(kMaxBarriers) + " barriers", "more");
  barriers.push_back(name);
}

void read_settle(Reader) {}

void read_kill(Reader r) {
  const auto& scenario = *r.names.scenario;
  if (r.setup || r.fields.first_of("process", "task")) {
    r.step.process = static_cast<int>(
        r.fields.need("process").one_of(scenario.processes, "the name of a process"));
  } else {
    const size_t task = r.fields.need("task").one_of(r.names.tasks, "the name of a task");
    r.step.process = static_cast<int>(scenario.tasks[task].process);
  }
}

constexpr VerbReader kVerbs[] = {
    {Verb::sleep, read_sleep},
    {Verb::barrier, read_barrier},
    {Verb::settle, read_settle},
    {Verb::kill, read_kill},
};

}  // namespace

std::span<const VerbReader> play_verbs() {
  return kVerbs;
}

}  // namespace coldread::scenario
