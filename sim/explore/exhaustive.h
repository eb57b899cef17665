// All interleavings of a scenario, one run after the other: depth-first search by replay.
//
// Without a bound on preemptions it leaves out, by sleep sets (Godefroid, 1996), interleavings that
// differ only in the order of steps on different objects; a step whose object is not known, because
// its task was just woken, counts as touching everything. With a bound every interleaving within it
// is run, since leaving some out could lose others.
//
// Thread rules: one thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "sim/explore/schedule.h"

namespace coldread::sim {

class ExhaustiveSearch {
 public:
  // `preemptions`: at most so many times a task that could go on does not; nothing: no bound.
  explicit ExhaustiveSearch(std::optional<unsigned> preemptions) : preemptions_(preemptions) {}

  // For the next run. To be called after the run before it has ended; false: there is none left.
  bool begin_run();
  // Of the run begun last; valid until the next.
  DecidingStrategy& strategy() { return *run_; }
  // The run added nothing: each of its choices was already known not to matter.
  bool redundant() const { return redundant_; }
  // Decisions that are still to be tried, at most; what is left, roughly.
  size_t open_decisions() const;

 private:
  class Run;

  // One decision of the run under way. Tasks are named by pid: it is the same in every run with
  // the same decisions before.
  struct Node {
    std::vector<uint32_t> tasks;  // that can go on, in order; the running one is last
    bool has_current = false;     // it can go on
    size_t chosen = 0;
    std::vector<bool> done;          // tried
    std::vector<uint32_t> sleeping;  // need not be tried
    unsigned preemptions = 0;        // before this decision
  };

  size_t decide(const Task* current, const void* object, const RunQueue& runnable);
  bool may_choose(const Node& node, size_t choice) const;
  std::optional<size_t> first_choice(const Node& node) const;
  Node make_node(const Task* current, const RunQueue& runnable) const;
  void note_objects(const Task* current, const void* object);
  const void* object_of(uint32_t pid) const;
  bool independent(uint32_t left, uint32_t right) const;

  const std::optional<unsigned> preemptions_;
  std::unique_ptr<DecidingStrategy> run_;
  std::vector<Node> nodes_;
  size_t depth_ = 0;  // decisions taken in this run
  bool redundant_ = false;
  bool any_run_ = false;
  // What each task's next step touches, by pid, in this run; null: not known.
  std::vector<const void*> objects_;
  // Sleeping at the decision that comes next.
  std::vector<uint32_t> sleeping_;
};

}  // namespace coldread::sim
