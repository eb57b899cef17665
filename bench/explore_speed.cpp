// How many schedules of a scenario are tried in a second, and what a run costs that does nothing.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>

#include "sim/explore/explore.h"
#include "sim/machine/workbench.h"
#include "sim/scenario/loader.h"

namespace {

using namespace coldread;

scenario::Scenario load(const char* name) {
  auto scenario = scenario::load_file(std::string(COLDREAD_SCENARIOS "/") + name);
  if (!scenario) {
    std::fprintf(stderr, "%s\n", scenario.error().c_str());
    std::exit(2);
  }
  return std::move(*scenario);
}

constexpr const char* kThreeTasks = "../bench/reader-daemon-withdraw.json";

sim::RunOptions outcomes_only() {
  sim::RunOptions options;
  options.history = 0;
  options.keep = player::Keep::outcomes;
  return options;
}

// A run is put at the end of its setup and dropped.
void set_up(benchmark::State& state) {
  const scenario::Scenario scenario = load(kThreeTasks);
  sim::Workbench bench(scenario, *find_profile("6.12.117"), outcomes_only());
  for (auto _ : state) bench.set_up();
  state.counters["bytes"] = static_cast<double>(bench.saved_bytes());
}
BENCHMARK(set_up);

// The runs alone.
void play(benchmark::State& state, sim::Search search) {
  const scenario::Scenario scenario = load(kThreeTasks);
  sim::Workbench bench(scenario, *find_profile("6.12.117"), outcomes_only());
  uint64_t seed = 0;
  uint64_t decisions = 0;
  for (auto _ : state) {
    sim::StrategyBox box;
    sim::DecidingStrategy& strategy = box.make(search, seed++, 3, 200);
    benchmark::DoNotOptimize(bench.run(strategy).outcome);
    decisions += strategy.decisions();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["decisions"] =
      static_cast<double>(decisions) / static_cast<double>(state.iterations());
}
BENCHMARK_CAPTURE(play, random, sim::Search::random);
BENCHMARK_CAPTURE(play, pct, sim::Search::pct);
BENCHMARK_CAPTURE(play, pos, sim::Search::pos);

// What `coldread explore --jobs 1` does: states and outcomes are counted too.
void explore(benchmark::State& state, const char* name, sim::Search search) {
  const scenario::Scenario scenario = load(name);
  sim::ExploreOptions options;
  options.profile = *find_profile("6.12.117");
  options.search = search;
  options.schedules = 20'000;
  options.keep_going = true;
  sim::ExploreResult result;
  for (auto _ : state) {
    result = sim::explore(scenario, options);
    options.seed += options.schedules;
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(result.schedules));
  state.counters["states"] = static_cast<double>(result.states.estimate());
  state.counters["outcomes"] = static_cast<double>(result.outcomes.size());
}
BENCHMARK_CAPTURE(explore, random, kThreeTasks, sim::Search::random);
BENCHMARK_CAPTURE(explore, pct, kThreeTasks, sim::Search::pct);
BENCHMARK_CAPTURE(explore, pos, kThreeTasks, sim::Search::pos);
BENCHMARK_CAPTURE(explore, dfs, kThreeTasks, sim::Search::dfs);

}  // namespace

BENCHMARK_MAIN();
