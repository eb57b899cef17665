#include "sim/explore/explore.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "sim/explore/exhaustive.h"
#include "sim/machine/run.h"
#include "sim/sha256.h"

namespace coldread::sim {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kEndless = 1'000'000;  // decisions of one run
constexpr uint64_t kProgressEvery = 64;   // schedules

player::Transcript run_with(const scenario::Scenario& scenario, const Profile& profile,
                            SchedulingStrategy& strategy) {
  RunOptions options;
  options.profile = profile.name;
  options.changed_profile = &profile;
  options.scheduling = &strategy;
  options.history = 0;
  options.max_steps = kEndless;
  return run(scenario, options).transcript;
}

std::string digest_of(const player::Transcript& transcript) {
  Sha256 digest;
  const std::string text = transcript.canonical().dump();
  digest.add(std::as_bytes(std::span(text)));
  return digest.hex().substr(0, 16);
}

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
    std::sort(result_.findings.begin(), result_.findings.end(),
              [](const Finding& a, const Finding& b) { return a.number < b.number; });
    return std::move(result_);
  }

 private:
  double elapsed() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  bool enough() const {
    return (options_.stop != nullptr && *options_.stop) || (found_ && !options_.keep_going) ||
           (options_.seconds > 0 && elapsed() >= options_.seconds);
  }

  uint64_t count_decisions() const {
    ReplayStrategy ordinary((Schedule()));
    run_with(scenario_, options_.profile, ordinary);
    return ordinary.decisions();
  }

  std::unique_ptr<DecidingStrategy> strategy_for(uint64_t seed) const {
    if (options_.search == Search::pct)
      return std::make_unique<PctStrategy>(seed, options_.depth, decisions_);
    if (options_.search == Search::pos) return std::make_unique<PosStrategy>(seed);
    return std::make_unique<RandomChoice>(seed);
  }

  void search_by_chance() {
    std::atomic<uint64_t> next{options_.shard};
    const auto work = [&] {
      while (!enough()) {
        const uint64_t index = next.fetch_add(options_.shards);
        if (index >= options_.schedules) return;
        const uint64_t seed = options_.seed + index;
        const auto strategy = strategy_for(seed);
        const player::Transcript transcript = run_with(scenario_, options_.profile, *strategy);
        note(transcript, index + 1, seed, strategy->schedule());
      }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options_.jobs; i++) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
  }

  void search_all() {
    ExhaustiveSearch search(options_.preemptions);
    while (!enough() && result_.schedules < options_.schedules) {
      if (!search.begin_run()) {
        result_.complete = true;
        return;
      }
      const player::Transcript transcript =
          run_with(scenario_, options_.profile, search.strategy());
      if (search.redundant()) result_.redundant++;
      note(transcript, result_.schedules + 1, 0, search.strategy().schedule());
    }
  }

  void note(const player::Transcript& transcript, uint64_t number, uint64_t seed,
            const Schedule& schedule) {
    const std::string digest = digest_of(transcript);
    const std::lock_guard guard(lock_);
    result_.schedules++;
    result_.outcomes[digest]++;
    if (transcript.report &&
        seen_.insert(transcript.report->kind + transcript.report->text).second) {
      result_.findings.push_back(
          {transcript.report->kind, *transcript.report, seed, number, schedule});
      found_ = true;
    }
    if (options_.on_progress && result_.schedules % kProgressEvery == 0)
      options_.on_progress(result_.schedules, result_.outcomes.size(), result_.findings.size());
  }

  const scenario::Scenario& scenario_;
  const ExploreOptions& options_;
  const Clock::time_point begin_ = Clock::now();
  uint64_t decisions_ = 1;
  std::atomic<bool> found_{false};
  std::mutex lock_;  // of what follows
  std::set<std::string> seen_;
  ExploreResult result_;
};

}  // namespace

ExploreResult explore(const scenario::Scenario& scenario, const ExploreOptions& options) {
  return Exploration(scenario, options).explore();
}

player::Transcript replay(const scenario::Scenario& scenario, const Profile& profile,
                          const Schedule& schedule) {
  ReplayStrategy strategy(schedule);
  return run_with(scenario, profile, strategy);
}

// Drops chunks, then single choices, as long as that changes something.
Schedule shrink_schedule(const scenario::Scenario& scenario, const Profile& profile,
                         const std::string& kind, Schedule schedule) {
  const auto still_breaks = [&](const Schedule& tried) {
    const player::Transcript transcript = replay(scenario, profile, tried);
    return transcript.report && transcript.report->kind == kind;
  };
  for (size_t chunk = std::max<size_t>(schedule.size() / 2, 1); chunk > 0; chunk /= 2) {
    for (size_t from = 0; from < schedule.size();) {
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
