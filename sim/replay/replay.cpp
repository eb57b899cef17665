#include "sim/replay/replay.h"

#include <fmt/core.h>

#include <map>

#include "sim/machine/machine.h"
#include "sim/replay/machine_state.h"
#include "sim/replay/symbols.h"

namespace coldread::sim {
namespace {

// Watches a run, writes down where tasks stop, and stops all of it where it is told to.
class Observer final : private StopWatch, private DecisionWatch {
 public:
  Observer(const scenario::Scenario& scenario, const ReplayOptions& options)
      : wanted_(options), strategy_(options.schedule), scenario_(scenario) {
    strategy_.watch(this);
    run_options_.profile = options.profile.name;
    run_options_.changed_profile = &options.profile;
    run_options_.scheduling = &strategy_;
    run_options_.watch = this;
    run_options_.daemon_choices = options.daemon_choices;
    run_options_.on_trace = [this](std::string_view line) {
      if (strategy_.begun() && !wanted_.until.empty() && line.find(wanted_.until) != line.npos)
        event_seen_ = true;
    };
    run_options_.on_record = [this](const std::string& task, const player::Record& record) {
      note_step(task, record);
    };
  }

  Replayed look() {
    Machine machine(scenario_, wanted_.profile, run_options_);
    machine_ = &machine;
    machine.play_setup();
    RunResult result = machine.play_rest();
    result_.decisions = strategy_.decisions();
    result_.report = std::move(result.transcript.report);
    if (result_.stopped) result_.report.reset();
    result_.state = fmt::format("decision {}{}\n", result_.decisions,
                                result_.stopped ? "" : ", the end of the run") +
                    machine_state(machine, stacks_);
    return std::move(result_);
  }

 private:
  void stops(const Task& task) override {
    if (!strategy_.begun()) return;
    std::vector<std::string>& stack = stacks_[task.pid];
    stack = modelled_functions();
    if (stack.empty()) return;
    result_.moments.push_back({strategy_.decisions(), task.name, stack, ""});
    if (task.state == TaskState::waiting)
      result_.moments.back().functions.push_back(
          fmt::format("(waits: {} {})", task.waiting.kind, task.waiting.name));
  }

  void decided(const Task* current, const void*, const Task&) override {
    if (current == nullptr || result_.stopped) return;
    if (!event_seen_ && (!wanted_.to || strategy_.decisions() < *wanted_.to)) return;
    stops(*current);
    result_.stopped = true;
    machine_->stop();
  }

  void note_step(const std::string& task, const player::Record& record) {
    if (!strategy_.begun()) return;
    const auto member = record.contains("errno") ? "errno" : "ret";
    const std::string end = record.contains(member) ? record[member].dump() : "skipped";
    result_.moments.push_back(
        {strategy_.decisions(), task, {}, record["do"].get<std::string>() + " = " + end});
  }

  const ReplayOptions& wanted_;
  ReplayStrategy strategy_;
  const scenario::Scenario& scenario_;
  RunOptions run_options_;
  Machine* machine_ = nullptr;
  bool event_seen_ = false;
  std::map<uint32_t, std::vector<std::string>> stacks_;  // by pid
  Replayed result_;
};

}  // namespace

Replayed look_at(const scenario::Scenario& scenario, const ReplayOptions& options) {
  return Observer(scenario, options).look();
}

}  // namespace coldread::sim
