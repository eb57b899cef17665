#include "sim/explore/exhaustive.h"

#include <algorithm>

namespace coldread::sim {

class ExhaustiveSearch::Run final : public DecidingStrategy {
 public:
  explicit Run(ExhaustiveSearch& search) : search_(search) { keep_schedule(); }

 private:
  size_t decide(const Task* current, const void* object, const RunQueue& runnable) override {
    return search_.decide(current, object, runnable);
  }
  size_t decide_among(size_t count) override { return search_.decide_among(count); }
  // A decision with one choice: what is touched then can meet what others have touched before.
  void note_alone(const Task* current, const void* object, const RunQueue& runnable) override {
    search_.decide(current, object, runnable);
  }
  ExhaustiveSearch& search_;
};

namespace {

bool contains(const std::vector<uint32_t>& pids, uint32_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

// Whether the step of a decision by `task` is known to a clock.
bool knows(const std::vector<size_t>& clock, uint32_t task, size_t decision) {
  return task < clock.size() && clock[task] > decision;
}

void join(std::vector<size_t>& clock, const std::vector<size_t>& other) {
  if (clock.size() < other.size()) clock.resize(other.size());
  for (size_t i = 0; i < other.size(); i++) clock[i] = std::max(clock[i], other[i]);
}

}  // namespace

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
  runner_ = 0;
  tasks_.clear();
  accesses_.clear();
  sleeping_.clear();
  run_ = std::make_unique<Run>(*this);
  return true;
}

size_t ExhaustiveSearch::decide(const Task* current, const void* object, const RunQueue& runnable) {
  const size_t ordinary = current != nullptr ? runnable.size() : 0;
  if (redundant_) return ordinary;
  note_tasks(current, object, runnable);
  if (depth_ == nodes_.size()) {
    Node node = make_node(current, runnable);
    // All that can follow has been seen in another order.
    redundant_ = node.tasks.size() == node.sleeping.size();
    if (!preemptions_) find_races(node);
    if (redundant_) return ordinary;
    const auto choice = first_choice(node);
    node.chosen = choice.value_or(ordinary);
    nodes_.push_back(std::move(node));
  }
  Node& node = nodes_[depth_++];
  take_step(node);
  return node.chosen;
}

// Each is tried; what tasks do is not touched by it.
size_t ExhaustiveSearch::decide_among(size_t count) {
  if (redundant_) return 0;
  if (depth_ == nodes_.size()) {
    Node node;
    node.tasks.resize(count);
    node.done.resize(count);
    node.wanted.resize(count, true);
    if (!nodes_.empty()) node.preemptions = preemptions_so_far();
    nodes_.push_back(std::move(node));
  }
  return nodes_[depth_++].chosen;
}

unsigned ExhaustiveSearch::preemptions_so_far() const {
  const Node& before = nodes_.back();
  const bool preempted = before.has_current && before.chosen + 1 != before.tasks.size();
  return before.preemptions + (preempted ? 1 : 0);
}

ExhaustiveSearch::Node ExhaustiveSearch::make_node(const Task* current,
                                                   const RunQueue& runnable) const {
  Node node;
  for (size_t i = 0; i < runnable.size(); i++) node.tasks.push_back(runnable[i].pid);
  node.has_current = current != nullptr;
  if (node.has_current) node.tasks.push_back(current->pid);
  node.done.resize(node.tasks.size());
  // With a bound all are tried; else one, and those that later steps ask for.
  node.wanted.resize(node.tasks.size(), preemptions_.has_value());
  for (const uint32_t pid : sleeping_)
    if (contains(node.tasks, pid)) node.sleeping.push_back(pid);
  for (size_t i = node.tasks.size(); i-- > 0 && !preemptions_;) {
    if (contains(node.sleeping, node.tasks[i])) continue;
    node.wanted[i] = true;
    break;
  }
  if (!nodes_.empty()) node.preemptions = preemptions_so_far();
  return node;
}

bool ExhaustiveSearch::may_choose(const Node& node, size_t choice) const {
  if (node.done[choice] || !node.wanted[choice]) return false;
  if (contains(node.sleeping, node.tasks[choice])) return false;
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

// --- what steps touch, and what happened before them ---

ExhaustiveSearch::TaskState& ExhaustiveSearch::task(uint32_t pid) {
  if (pid >= tasks_.size()) tasks_.resize(pid + 1);
  return tasks_[pid];
}

// Whoever can go on and could not before was woken by the one that ran.
void ExhaustiveSearch::note_task(const Task& noted, bool runs, const void* object) {
  TaskState& state = task(noted.pid);
  if (runs) {
    state.object = whole(object);
  } else if (!state.runnable) {
    state.object = whole(noted.waiting.object);
    if (runner_ != 0 && runner_ != noted.pid) join(state.clock, task(runner_).clock);
  }
  state.runnable = true;
}

void ExhaustiveSearch::note_tasks(const Task* current, const void* object,
                                  const RunQueue& runnable) {
  for (uint32_t pid = 0; pid < tasks_.size(); pid++) {
    const auto is_it = [&](size_t i) { return runnable[i].pid == pid; };
    bool there = current != nullptr && current->pid == pid;
    for (size_t i = 0; i < runnable.size() && !there; i++) there = is_it(i);
    if (!there) tasks_[pid].runnable = false;
  }
  task(runner_);  // so that references stay good
  for (size_t i = 0; i < runnable.size(); i++) task(runnable[i].pid);
  for (size_t i = 0; i < runnable.size(); i++) note_task(runnable[i], false, nullptr);
  if (current != nullptr) note_task(*current, true, object);
}

// The next step of each task against the latest one it meets.
void ExhaustiveSearch::find_races(const Node& node) {
  for (const uint32_t pid : node.tasks) {
    const void* const object = tasks_[pid].object;
    if (object == nullptr) {
      for (const auto& [touched, access] : accesses_) find_race(pid, access);
      continue;
    }
    for (const void* met : {object, static_cast<const void*>(nullptr)})
      if (const auto found = accesses_.find(met); found != accesses_.end())
        find_race(pid, found->second);
  }
}

// If nothing puts the access before the task's next step, the other order is tried too.
void ExhaustiveSearch::find_race(uint32_t pid, const Access& access) {
  if (access.task == pid || knows(tasks_[pid].clock, access.task, access.decision)) return;
  Node& node = nodes_[access.decision];
  const auto want = [&](uint32_t wanted) {
    const auto found = std::find(node.tasks.begin(), node.tasks.end(), wanted);
    if (found == node.tasks.end()) return false;
    node.wanted[static_cast<size_t>(found - node.tasks.begin())] = true;
    return true;
  };
  if (want(pid)) return;
  // It could not go on then: whoever made it so, or anybody.
  for (uint32_t other = 0; other < tasks_[pid].clock.size(); other++)
    if (tasks_[pid].clock[other] > access.decision + 1 && want(other)) return;
  std::fill(node.wanted.begin(), node.wanted.end(), true);
}

void ExhaustiveSearch::want_conflicting(Node& node) {
  const uint32_t chosen = node.tasks[node.chosen];
  for (size_t i = 0; i < node.tasks.size(); i++)
    if (i != node.chosen && !independent(node.tasks[i], chosen)) node.wanted[i] = true;
}

// What is chosen at the decision depth_ - 1 goes on.
void ExhaustiveSearch::take_step(const Node& decided) {
  Node& node = nodes_[depth_ - 1];
  const uint32_t chosen = decided.tasks[decided.chosen];
  runner_ = chosen;
  if (preemptions_) return;
  want_conflicting(node);
  // Asleep below: what was tried here, or slept here, and does not meet what is chosen.
  sleeping_.clear();
  for (size_t i = 0; i < node.tasks.size(); i++) {
    const uint32_t pid = node.tasks[i];
    if (i != node.chosen && (node.done[i] || contains(node.sleeping, pid)) &&
        independent(pid, chosen))
      sleeping_.push_back(pid);
  }
  TaskState& state = tasks_[chosen];
  const void* const object = state.object;
  if (object != nullptr) {
    for (const void* met : {object, static_cast<const void*>(nullptr)})
      if (const auto found = accesses_.find(met); found != accesses_.end())
        join(state.clock, found->second.clock);
  } else {
    for (const auto& [touched, access] : accesses_) join(state.clock, access.clock);
    accesses_.clear();  // this one is behind all of them
  }
  if (chosen >= state.clock.size()) state.clock.resize(chosen + 1);
  state.clock[chosen] = depth_;
  accesses_[object] = {depth_ - 1, chosen, state.clock};
  state.object = nullptr;
}

const void* ExhaustiveSearch::whole(const void* part) const {
  return part != nullptr && whole_of_ ? whole_of_(part) : part;
}

bool ExhaustiveSearch::independent(uint32_t left, uint32_t right) const {
  const void* const one = tasks_[left].object;
  const void* const other = tasks_[right].object;
  return one != nullptr && other != nullptr && one != other;
}

}  // namespace coldread::sim
