#include "sim/explore/explore.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "sim/explore/exhaustive.h"
#include "sim/explore/state_hash.h"
#include "sim/machine/machine.h"
#include "sim/machine/workbench.h"

namespace coldread::sim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kEndless = 2 * DecidingStrategy::kFairFrom;  // decisions of one run
constexpr uint64_t kLookEvery = 64;                             // schedules, at the clock
constexpr auto kProgressEvery = std::chrono::milliseconds(100);

RunOptions run_options(const Profile& profile, bool daemon_choices, player::Keep keep) {
  RunOptions options;
  options.daemon_choices = daemon_choices;
  options.profile = profile.name;
  options.changed_profile = &profile;
  options.history = 0;
  options.max_steps = kEndless;
  options.keep = keep;
  return options;
}

RunOptions worker_options(const ExploreOptions& exploring) {
  RunOptions options =
      run_options(exploring.profile, exploring.daemon_choices, player::Keep::outcomes);
  options.tells_alone = exploring.search == Search::dfs;
  return options;
}

// What one thread works with, and what it has found.
class Worker final : private DecisionWatch {
 public:
  Worker(const scenario::Scenario& scenario, const ExploreOptions& options)
      : options_(options),
        bench_(scenario, options.profile, worker_options(options)),
        hash_(bench_.reuses()) {}

  // Plays one schedule; true if it ended in a report that nobody expects.
  bool play(DecidingStrategy& strategy, uint64_t number, uint64_t seed) {
    hash_.restart();
    strategy.watch(this);
    RunResult run = bench_.run(strategy);
    result_.schedules++;
    result_.decisions += strategy.decisions();
    Outcome& outcome = result_.outcomes[run.outcome];
    if (outcome.schedules++ == 0) {
      outcome.number = number;
      outcome.seed = seed;
      outcome.schedule = strategy.schedule();
    }
    return run.transcript.report && note(std::move(*run.transcript.report), number, seed, strategy);
  }

  // Of the run under way.
  const void* whole_of(const void* part) const { return bench_.playing()->whole_of(part); }

  ExploreResult& result() { return result_; }

 private:
  void decided(const Task* current, const void* object, const Task& chosen) override {
    hash_.decide(current, object, chosen);
    result_.states.add(hash_.value());
  }

  bool note(player::RunReport report, uint64_t number, uint64_t seed,
            const DecidingStrategy& strategy) {
    const bool expected = options_.is_expected && options_.is_expected(report);
    if (seen_.insert(report.kind + report.text).second) {
      const std::string kind = report.kind;
      result_.findings.push_back(
          {kind, std::move(report), expected, seed, number, strategy.schedule()});
    }
    return !expected;
  }

  const ExploreOptions& options_;
  Workbench bench_;
  StateHash hash_;
  std::set<std::string> seen_;
  ExploreResult result_;
};

class Exploration {
 public:
  Exploration(const scenario::Scenario& scenario, const ExploreOptions& options)
      : scenario_(scenario), options_(options) {}

  ExploreResult explore() {
    if (options_.search == Search::dfs) {
      search_all();
    } else {
      decisions_ = count_decisions();
      search_by_chance();
    }
    result_.seconds = elapsed();
    return std::move(result_);
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  // Looks at the clock now and then.
  bool enough(Worker& worker) {
    if (found_ && !options_.keep_going) return true;
    if (options_.stop != nullptr && *options_.stop) {
      worker.result().interrupted = true;
      return true;
    }
    if (worker.result().schedules % kLookEvery != 0) return false;
    if (options_.on_progress) show_progress(worker.result());
    return options_.seconds > 0 && elapsed() >= options_.seconds;
  }

  // Of the thread that shows it, but for the number of schedules.
  void show_progress(const ExploreResult& mine) {
    const std::unique_lock guard(lock_, std::try_to_lock);
    if (!guard.owns_lock() || Clock::now() < next_progress_) return;
    next_progress_ = Clock::now() + kProgressEvery;
    options_.on_progress(
        {done_, elapsed(), mine.states.estimate(), mine.outcomes.size(), mine.findings.size()});
  }

  uint64_t count_decisions() const {
    ReplayStrategy ordinary((Schedule()));
    RunOptions options =
        run_options(options_.profile, options_.daemon_choices, player::Keep::outcomes);
    options.scheduling = &ordinary;
    run(scenario_, options);
    return ordinary.decisions();
  }

  void search_by_chance() {
    std::atomic<uint64_t> next{options_.shard};
    const auto work = [&] {
      Worker worker(scenario_, options_);
      while (!enough(worker)) {
        const uint64_t index = next.fetch_add(options_.shards, std::memory_order_relaxed);
        if (index >= options_.schedules) break;
        const uint64_t seed = options_.seed + index;
        StrategyBox box;
        if (worker.play(box.make(options_.search, seed, options_.depth, decisions_), index + 1,
                        seed))
          found_ = true;
        done_.fetch_add(1, std::memory_order_relaxed);
      }
      merge(std::move(worker.result()));
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options_.jobs; i++) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    add_schedules();
  }

  void search_all() {
    Worker worker(scenario_, options_);
    ExhaustiveSearch search(options_.preemptions,
                            [&](const void* part) { return worker.whole_of(part); });
    uint64_t redundant = 0;
    bool complete = false;
    while (!enough(worker) && worker.result().schedules < options_.schedules) {
      complete = !search.begin_run();
      if (complete) break;
      if (worker.play(search.strategy(), worker.result().schedules + 1, 0)) found_ = true;
      if (search.redundant()) redundant++;
      done_.fetch_add(1, std::memory_order_relaxed);
    }
    merge(std::move(worker.result()));
    result_.redundant = redundant;
    result_.complete = complete;
  }

  void merge(ExploreResult part) {
    const std::lock_guard guard(lock_);
    merge_results(result_, std::move(part));
  }

  // By chance the seed says all; the schedules of what is shown are made when all is done.
  void add_schedules() {
    for (Finding& finding : result_.findings) finding.schedule = schedule_of(finding.seed);
    for (auto& [key, outcome] : result_.outcomes) outcome.schedule = schedule_of(outcome.seed);
  }

  Schedule schedule_of(uint64_t seed) const {
    StrategyBox box;
    DecidingStrategy& strategy = box.make(options_.search, seed, options_.depth, decisions_);
    strategy.keep_schedule();
    RunOptions options =
        run_options(options_.profile, options_.daemon_choices, player::Keep::outcomes);
    options.scheduling = &strategy;
    run(scenario_, options);
    return strategy.schedule();
  }

  const scenario::Scenario& scenario_;
  const ExploreOptions& options_;
  const Clock::time_point begin_ = Clock::now();
  uint64_t decisions_ = 1;
  std::atomic<bool> found_{false};
  std::atomic<uint64_t> done_{0};
  std::mutex lock_;  // of what follows
  Clock::time_point next_progress_ = begin_;
  ExploreResult result_;
};

player::Transcript run_with(const scenario::Scenario& scenario, const Profile& profile,
                            bool daemon_choices, SchedulingStrategy& strategy) {
  RunOptions options = run_options(profile, daemon_choices, player::Keep::records);
  options.scheduling = &strategy;
  return run(scenario, options).transcript;
}

}  // namespace

void merge_results(ExploreResult& into, ExploreResult part) {
  into.schedules += part.schedules;
  into.redundant += part.redundant;
  into.interrupted |= part.interrupted;
  into.decisions += part.decisions;
  into.states.merge(part.states);
  for (auto& [key, outcome] : part.outcomes) {
    Outcome& sum = into.outcomes[key];
    const uint64_t schedules = sum.schedules + outcome.schedules;
    if (sum.schedules == 0 || outcome.number < sum.number) sum = std::move(outcome);
    sum.schedules = schedules;
  }
  for (Finding& finding : part.findings) into.findings.push_back(std::move(finding));
  std::sort(into.findings.begin(), into.findings.end(),
            [](const Finding& a, const Finding& b) { return a.number < b.number; });
  std::set<std::string> seen;
  std::erase_if(into.findings, [&](const Finding& finding) {
    return !seen.insert(finding.kind + finding.report.text).second;
  });
}

ExploreResult explore(const scenario::Scenario& scenario, const ExploreOptions& options) {
  return Exploration(scenario, options).explore();
}

player::Transcript replay(const scenario::Scenario& scenario, const Profile& profile,
                          const Schedule& schedule, bool daemon_choices) {
  ReplayStrategy strategy(schedule);
  return run_with(scenario, profile, daemon_choices, strategy);
}

// Drops chunks, then single choices, as long as that changes something.
Schedule shrink_schedule(const scenario::Scenario& scenario, const Profile& profile,
                         const std::function<bool(const player::RunReport&)>& is_wanted,
                         Schedule schedule, bool daemon_choices, const std::atomic<bool>* stop) {
  Workbench bench(scenario, profile, run_options(profile, daemon_choices, player::Keep::outcomes));
  const auto still_breaks = [&](const Schedule& tried) {
    ReplayStrategy strategy(tried);
    const RunResult result = bench.run(strategy);
    return result.transcript.report && is_wanted(*result.transcript.report);
  };
  for (size_t chunk = std::max<size_t>(schedule.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (size_t from = 0; from < schedule.size();) {
      if (stop != nullptr && *stop) return schedule;
      Schedule tried = schedule;
      const auto first = std::next(tried.begin(), static_cast<std::ptrdiff_t>(from));
      const size_t count = std::min(chunk, tried.size() - from);
      tried.erase(first, std::next(first, static_cast<std::ptrdiff_t>(count)));
      if (still_breaks(tried))
        schedule = std::move(tried);
      else
        from += chunk;
    }
  }
  return schedule;
}

}  // namespace coldread::sim
