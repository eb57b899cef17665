#include "sim/explore/check.h"

#include <fmt/core.h>

#include <algorithm>

#include "sim/explore/state_hash.h"
#include "sim/machine/workbench.h"

namespace coldread::sim {
namespace {

// The state after each decision. Places differ between machines, so objects are told apart by the
// order in which they were touched.
class Trail final : public DecisionWatch {
 public:
  void restart() {
    hash_.restart();
    states.clear();
  }
  void decided(const Task* current, const void* object, const Task& chosen) override {
    hash_.decide(current, object, chosen);
    states.push_back(hash_.value());
  }

  std::vector<uint64_t> states;

 private:
  StateHash hash_{false};
};

}  // namespace

std::optional<std::string> check_determinism(const scenario::Scenario& scenario,
                                             const ExploreOptions& options) {
  constexpr uint64_t kDecisions = 200;  // about so many; where pct's change points may be
  RunOptions running;
  running.history = 0;
  running.keep = player::Keep::outcomes;
  running.daemon_choices = options.daemon_choices;
  running.changed_profile = &options.profile;
  Workbench bench(scenario, options.profile, running);
  Trail first, second;
  for (uint64_t i = 0; i < options.schedules; i++) {
    const uint64_t seed = options.seed + i;
    StrategyBox one, other;
    DecidingStrategy& used = one.make(options.search, seed, options.depth, kDecisions);
    DecidingStrategy& fresh = other.make(options.search, seed, options.depth, kDecisions);
    first.restart();
    second.restart();
    used.watch(&first);
    fresh.watch(&second);
    running.scheduling = &fresh;
    const uint64_t outcome = bench.run(used).outcome;
    const uint64_t again = run(scenario, running).outcome;
    const auto [at, there] = std::mismatch(first.states.begin(), first.states.end(),
                                           second.states.begin(), second.states.end());
    if (at != first.states.end() || there != second.states.end())
      return fmt::format("seed {}: two runs differ from decision {} on", seed,
                         at - first.states.begin());
    if (outcome != again) return fmt::format("seed {}: two runs end differently", seed);
  }
  return {};
}

}  // namespace coldread::sim
