#include "sim/explore/check.h"

#include <fmt/core.h>

#include <algorithm>

#include "sim/explore/state_hash.h"
#include "sim/machine/machine.h"
#include "sim/machine/model_state.h"
#include "sim/machine/workbench.h"
#include "sim/outcome_hash.h"

namespace coldread::sim {
namespace {

// Places differ between machines, so objects are told apart by the order in which they were
// touched.
class Watch final : public DecisionWatch {
 public:
  explicit Watch(std::function<Machine&()> machine) : machine_(std::move(machine)) {}
  void decided(const Task* current, const void* object, const Task& chosen) override {
    touched_.decide(current, object, chosen);
    OutcomeHash state;
    state.add(touched_.value());
    state.add(model_state(machine_()));
    trail.states.push_back(state.value());
  }

  Trail trail;

 private:
  StateHash touched_{false};
  const std::function<Machine&()> machine_;
};

RunOptions running(const ExploreOptions& options) {
  RunOptions running;
  running.history = 0;
  running.keep = player::Keep::outcomes;
  running.daemon_choices = options.daemon_choices;
  running.changed_profile = &options.profile;
  return running;
}

// The strategy of one run: what the caller makes, else what the options name.
class Chosen {
 public:
  DecidingStrategy& choose(const ExploreOptions& options, const MakeStrategy& make, uint64_t seed) {
    constexpr uint64_t kDecisions = 200;  // about so many; where pct's change points may be
    if (!make) return named_.make(options.search, seed, options.depth, kDecisions);
    callers_ = make(seed);
    return *callers_;
  }

 private:
  StrategyBox named_;
  std::unique_ptr<DecidingStrategy> callers_;
};

// On the machine that is used again and again.
Trail trail_on(Workbench& bench, DecidingStrategy& strategy) {
  Watch watch([&]() -> Machine& { return *bench.playing(); });
  strategy.watch(&watch);
  watch.trail.outcome = bench.run(strategy).outcome;
  return std::move(watch.trail);
}

}  // namespace

Trail trail_of(const scenario::Scenario& scenario, const ExploreOptions& options,
               DecidingStrategy& strategy) {
  RunOptions alone = running(options);
  alone.scheduling = &strategy;
  Machine machine(scenario, options.profile, alone);
  Watch watch([&]() -> Machine& { return machine; });
  strategy.watch(&watch);
  watch.trail.outcome = machine.run().outcome;
  return std::move(watch.trail);
}

std::optional<std::string> difference_between(const Trail& one, const Trail& other) {
  const auto [at, there] =
      std::mismatch(one.states.begin(), one.states.end(), other.states.begin(), other.states.end());
  if (at != one.states.end() || there != other.states.end())
    return fmt::format("two runs differ from decision {} on", at - one.states.begin());
  if (one.outcome != other.outcome) return "two runs end differently";
  return {};
}

DeterminismCheck check_determinism(const scenario::Scenario& scenario,
                                   const ExploreOptions& options, const MakeStrategy& make) {
  Workbench bench(scenario, options.profile, running(options));
  DeterminismCheck check;
  while (check.schedules < options.schedules && (options.stop == nullptr || !*options.stop)) {
    const uint64_t seed = options.seed + check.schedules;
    Chosen first, second;
    DecidingStrategy& used = first.choose(options, make, seed);
    DecidingStrategy& fresh = second.choose(options, make, seed);
    const auto difference =
        difference_between(trail_on(bench, used), trail_of(scenario, options, fresh));
    if (difference) {
      check.difference = fmt::format("seed {}: {}", seed, *difference);
      return check;
    }
    check.schedules++;
  }
  return check;
}

}  // namespace coldread::sim
