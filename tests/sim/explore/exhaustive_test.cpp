// The reduction loses nothing: whatever all interleavings of made-up tasks lead to, those that are
// left lead to.
#include "sim/explore/exhaustive.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "kernelmodel/kernel/mutex.h"
#include "sim/scheduler/fiber.h"
#include "tests/sim/scheduler/tasks.h"

namespace coldread::sim {
namespace {

constexpr size_t kObjects = 3;
constexpr unsigned kNoBound = 100;  // more than a run has decisions
constexpr int kRounds = kAddressSanitizer ? 10 : 150;

// Tasks as what they touch, one thing after the other: an object, "A" to "C"; "(" and ")" take and
// give back a lock that all have in common.
using Plays = std::vector<std::string>;

// Who touched each object and the lock, in order: all that a run can tell.
std::string play(SchedulingStrategy& strategy, StackPool& stacks, const Plays& plays,
                 std::string* order = nullptr) {
  FiberScheduler::Options options;
  options.stacks = &stacks;
  options.tells_alone = true;
  Tasks tasks(strategy, options);
  Mutex lock(tasks.scheduler, LockClass::cachefiles_daemon_mutex);
  std::array<std::string, kObjects + 1> touched;
  for (size_t i = 0; i < plays.size(); i++) {
    tasks.spawn("t", [&, i] {
      for (const char c : plays[i]) {
        if (c == '(') {
          lock.lock();
          touched[kObjects] += static_cast<char>('0' + i);
        } else if (c == ')') {
          lock.unlock();
        } else {
          std::string& object = touched[static_cast<size_t>(c - 'A')];
          tasks.scheduler.preemption_point(&object);
          object += static_cast<char>('0' + i);
          if (order != nullptr) *order += c;
        }
      }
    });
  }
  strategy.setup_done();
  EXPECT_EQ(tasks.scheduler.run().kind, RunEnd::Kind::finished);
  std::string all;
  for (const std::string& one : touched) all += one + " ";
  return all;
}

struct Explored {
  std::set<std::string> outcomes;
  size_t runs = 0;
};

Explored explore(const Plays& plays, std::optional<unsigned> preemptions) {
  StackPool stacks;
  ExhaustiveSearch search(preemptions);
  Explored result;
  for (; search.begin_run(); result.runs++)
    result.outcomes.insert(play(search.strategy(), stacks, plays));
  return result;
}

Plays some_plays(RandomNumbers& random) {
  Plays plays(2 + random.below(2));
  for (std::string& play : plays) {
    for (size_t i = 1 + random.below(plays.size() == 2 ? 4 : 2); i > 0; i--)
      play += static_cast<char>('A' + random.below(kObjects));
    if (random.below(3) != 0) continue;
    const size_t from = random.below(play.size());
    play.insert(from + 1, ")");
    play.insert(from, "(");
  }
  return plays;
}

TEST(Reduction, LosesNoOutcome) {
  RandomNumbers random(1);
  size_t few = 0, many = 0;
  for (int round = 0; round < kRounds; round++) {
    const Plays plays = some_plays(random);
    const Explored reduced = explore(plays, {});
    const Explored whole = explore(plays, kNoBound);
    EXPECT_EQ(reduced.outcomes, whole.outcomes) << plays[0] << " " << plays[1];
    few += reduced.runs;
    many += whole.runs;
  }
  EXPECT_LT(4 * few, many);
}

// Two parts of something that one of the tasks may free: the order counts all the same.
TEST(Reduction, WhatIsFreedTogetherBelongsTogether) {
  const auto orders = [](ExhaustiveSearch::WholeOf whole_of) {
    StackPool stacks;
    ExhaustiveSearch search({}, std::move(whole_of));
    std::set<std::string> seen;
    while (search.begin_run()) {
      std::string order;
      play(search.strategy(), stacks, {"AAA", "BBB"}, &order);
      seen.insert(order);
    }
    return seen;
  };
  static const int kWhole = 0;
  EXPECT_LT(orders({}).size(), 20U);
  EXPECT_EQ(orders([](const void*) { return &kWhole; }).size(), 20U);
}

// What a task touches when all others have ended meets what they touched before.
TEST(Reduction, SeesWhatIsTouchedAlone) {
  const Plays plays = {"ABC", "ABC"};
  EXPECT_EQ(explore(plays, {}).outcomes, explore(plays, kNoBound).outcomes);
  EXPECT_EQ(explore(plays, {}).outcomes.size(), 8U);
}

}  // namespace
}  // namespace coldread::sim
