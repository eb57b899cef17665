#include "sim/explore/exhaustive.h"

#include <algorithm>

namespace coldread::sim {

class ExhaustiveSearch::Run final : public DecidingStrategy {
 public:
  explicit Run(ExhaustiveSearch& search) : search_(search) {}

 private:
  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override {
    return search_.decide(current, object, runnable);
  }
  ExhaustiveSearch& search_;
};

// Goes back to the last decision that has an untried choice.
bool ExhaustiveSearch::begin_run() {
  while (any_run_ && !nodes_.empty()) {
    Node& node = nodes_.back();
    node.done[node.chosen] = true;
    if (const auto choice = first_choice(node)) {
      node.chosen = *choice;
      break;
    }
    nodes_.pop_back();
  }
  if (any_run_ && nodes_.empty()) return false;
  any_run_ = true;
  depth_ = 0;
  redundant_ = false;
  objects_.clear();
  sleeping_.clear();
  run_ = std::make_unique<Run>(*this);
  return true;
}

size_t ExhaustiveSearch::open_decisions() const {
  return static_cast<size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return std::count(node.done.begin(), node.done.end(), false) > 1;
  }));
}

size_t ExhaustiveSearch::decide(const Task* current, const void* object, const RunQueue& runnable) {
  note_objects(current, object);
  if (redundant_) return current != nullptr ? runnable.size() : 0;
  if (depth_ == nodes_.size()) {
    Node node = make_node(current, runnable);
    const auto choice = first_choice(node);
    if (!choice) {
      // All that can follow has been seen in another order.
      redundant_ = true;
      return current != nullptr ? runnable.size() : 0;
    }
    node.chosen = *choice;
    nodes_.push_back(std::move(node));
  }
  const Node& node = nodes_[depth_++];
  const uint32_t chosen = node.tasks[node.chosen];
  // Asleep below: what was tried here, or slept here, and does not meet what is chosen.
  sleeping_.clear();
  if (!preemptions_) {
    for (size_t i = 0; i < node.tasks.size(); i++) {
      const uint32_t task = node.tasks[i];
      const bool asleep = std::count(node.sleeping.begin(), node.sleeping.end(), task) != 0;
      if (i != node.chosen && (node.done[i] || asleep) && independent(task, chosen))
        sleeping_.push_back(task);
    }
  }
  if (chosen < objects_.size()) objects_[chosen] = nullptr;
  return node.chosen;
}

ExhaustiveSearch::Node ExhaustiveSearch::make_node(const Task* current,
                                                   const RunQueue& runnable) const {
  Node node;
  for (size_t i = 0; i < runnable.size(); i++) node.tasks.push_back(runnable[i].pid);
  node.has_current = current != nullptr;
  if (node.has_current) node.tasks.push_back(current->pid);
  node.done.resize(node.tasks.size());
  node.sleeping = sleeping_;
  if (!nodes_.empty()) {
    const Node& before = nodes_.back();
    const bool preempted = before.has_current && before.chosen + 1 != before.tasks.size();
    node.preemptions = before.preemptions + (preempted ? 1 : 0);
  }
  return node;
}

bool ExhaustiveSearch::may_choose(const Node& node, size_t choice) const {
  if (node.done[choice]) return false;
  const uint32_t task = node.tasks[choice];
  if (std::count(node.sleeping.begin(), node.sleeping.end(), task) != 0) return false;
  const bool preempts = node.has_current && choice + 1 != node.tasks.size();
  return !preempts || !preemptions_ || node.preemptions < *preemptions_;
}

// The running task first, then who waits longest.
std::optional<size_t> ExhaustiveSearch::first_choice(const Node& node) const {
  const size_t count = node.tasks.size();
  if (node.has_current && may_choose(node, count - 1)) return count - 1;
  for (size_t i = 0; i < count; i++)
    if (may_choose(node, i)) return i;
  return {};
}

void ExhaustiveSearch::note_objects(const Task* current, const void* object) {
  if (current == nullptr) return;
  if (current->pid >= objects_.size()) objects_.resize(current->pid + 1);
  objects_[current->pid] = object;
}

const void* ExhaustiveSearch::object_of(uint32_t pid) const {
  return pid < objects_.size() ? objects_[pid] : nullptr;
}

bool ExhaustiveSearch::independent(uint32_t left, uint32_t right) const {
  const void* const one = object_of(left);
  const void* const other = object_of(right);
  return one != nullptr && other != nullptr && one != other;
}

}  // namespace coldread::sim
