#include "sim/explore/strategies.h"

#include <algorithm>

namespace coldread::sim {
namespace {

// The choice with the highest value of `rank`, the current task's being the last.
template <typename Rank>
size_t highest(const Task* current, const RunQueue& runnable, Rank rank) {
  size_t best = 0;
  uint64_t best_rank = 0;
  for (size_t i = 0; i < runnable.size(); i++) {
    const uint64_t value = rank(runnable[i]);
    if (i != 0 && value <= best_rank) continue;
    best = i;
    best_rank = value;
  }
  return current != nullptr && rank(*current) > best_rank ? runnable.size() : best;
}

}  // namespace

const char* search_name(Search search) {
  switch (search) {
    case Search::random:
      return "random";
    case Search::pct:
      return "pct";
    case Search::pos:
      return "pos";
    case Search::dfs:
      break;
  }
  return "dfs";
}

size_t RandomChoice::decide(const Task* current, const void*, const RunQueue& runnable) {
  return random_.below(runnable.size() + (current != nullptr ? 1 : 0));
}

PctStrategy::PctStrategy(uint64_t seed, unsigned depth, uint64_t decisions) : random_(seed) {
  const auto bound = static_cast<size_t>(std::clamp<uint64_t>(decisions, 1, UINT32_MAX));
  for (unsigned i = 1; i < depth; i++) change_points_.push_back(random_.below(bound));
  std::sort(change_points_.begin(), change_points_.end());
}

// Above all that change points give.
uint64_t& PctStrategy::priority_of(const Task& task) {
  if (task.pid >= priorities_.size()) priorities_.resize(task.pid + 1);
  uint64_t& priority = priorities_[task.pid];
  if (priority == 0) priority = (random_.next() >> 1) + UINT32_MAX;
  return priority;
}

size_t PctStrategy::decide(const Task* current, const void*, const RunQueue& runnable) {
  while (changes_ < change_points_.size() && change_points_[changes_] <= decisions()) {
    changes_++;
    // The later, the lower.
    if (current != nullptr) priority_of(*current) = change_points_.size() - changes_ + 1;
  }
  return highest(current, runnable, [this](const Task& task) { return priority_of(task); });
}

PosStrategy::Next& PosStrategy::next_of(const Task& task) {
  if (task.pid >= next_.size()) next_.resize(task.pid + 1);
  Next& next = next_[task.pid];
  if (next.priority == 0) next.priority = (random_.next() >> 1) + 1;
  return next;
}

size_t PosStrategy::decide(const Task* current, const void* object, const RunQueue& runnable) {
  if (current != nullptr) next_of(*current).object = object;
  const size_t choice =
      highest(current, runnable, [this](const Task& task) { return next_of(task).priority; });
  const Task& chosen = choice == runnable.size() ? *current : runnable[choice];
  const void* const touched = next_of(chosen).object;
  next_[chosen.pid] = {};
  if (touched == nullptr) return choice;
  for (Next& next : next_)
    if (next.object == touched) next.priority = 0;
  return choice;
}

}  // namespace coldread::sim
