// Strategies that look for bad interleavings by chance.
//
// random: every choice alike. pct (Burckhardt and others, "A randomized scheduler with
// probabilistic guarantees of finding bugs", 2010): tasks have priorities, and at depth - 1 random
// points the running one falls behind all others. pos (Yuan, Yang and Gu, "Partial order aware
// concurrency sampling", 2018): every next step has a random priority, drawn again when another
// step on the same object has been taken.
//
// Thread rules: one run each. The same seed decides the same questions alike.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "sim/explore/schedule.h"
#include "sim/scheduler/random_numbers.h"

namespace coldread::sim {

enum class Search : uint8_t { random, pct, pos, dfs };
const char* search_name(Search search);

// As a daemon chooses by chance: half of the time 0.
inline size_t seldom(RandomNumbers& random, size_t count) {
  return random.below(2) == 0 ? 0 : random.below(count);
}

class RandomChoice final : public DecidingStrategy {
 public:
  explicit RandomChoice(uint64_t seed) : random_(seed) {}

 private:
  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override;
  size_t decide_among(size_t count) override { return seldom(random_, count); }
  RandomNumbers random_;
};

class PctStrategy final : public DecidingStrategy {
 public:
  // `depth` 1 or more; `decisions`: about how many a run takes, 1 or more.
  PctStrategy(uint64_t seed, unsigned depth, uint64_t decisions);

 private:
  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override;
  size_t decide_among(size_t count) override { return seldom(random_, count); }
  uint64_t& priority_of(const Task& task);

  RandomNumbers random_;
  std::vector<uint64_t> change_points_;  // growing
  size_t changes_ = 0;
  std::vector<uint64_t> priorities_;  // by pid; 0: none yet. Higher goes first.
};

class PosStrategy final : public DecidingStrategy {
 public:
  explicit PosStrategy(uint64_t seed) : random_(seed) {}

 private:
  struct Next {
    uint64_t priority = 0;         // of the task's next step; 0: none yet
    const void* object = nullptr;  // what that touches; null: not known
  };

  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override;
  size_t decide_among(size_t count) override { return seldom(random_, count); }
  Next& next_of(const Task& task);

  RandomNumbers random_;
  std::vector<Next> next_;  // by pid
};

// The strategy of one run.
class StrategyBox {
 public:
  // `depth`: pct's; `decisions`: about how many a run takes.
  DecidingStrategy& make(Search search, uint64_t seed, unsigned depth, uint64_t decisions) {
    switch (search) {
      case Search::pct:
        return strategy_.emplace<PctStrategy>(seed, depth, decisions);
      case Search::pos:
        return strategy_.emplace<PosStrategy>(seed);
      default:
        return strategy_.emplace<RandomChoice>(seed);
    }
  }

 private:
  std::variant<std::monostate, RandomChoice, PctStrategy, PosStrategy> strategy_;
};

}  // namespace coldread::sim
