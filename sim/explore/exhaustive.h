// All interleavings of a scenario, one run after the other: depth-first search by replay.
//
// Without a bound on preemptions it leaves out interleavings that differ only in the order of steps
// on different objects: dynamic partial-order reduction (Flanagan and Godefroid, 2005: a decision
// gets another choice only when a later step turns out to meet what was chosen) with sleep sets
// (Godefroid, 1996). A step touches what its preemption point names, and all that is freed
// together with that, since the step may free it; one that follows a wait, what was waited for
// (WaitReason::object); one of which neither is known, everything. What a task touches while nobody
// else can go on counts too: it may meet what others touched before, so the scheduler must tell of
// it (FiberScheduler::Options::tells_alone). With a bound every interleaving within it is run,
// since leaving some out could lose others.
//
// Thread rules: one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "sim/explore/schedule.h"

namespace coldread::sim {

class ExhaustiveSearch {
 public:
  // What a step touches more than the part that it names: a number of which the last reference
  // is given back goes with all that lies around it.
  using WholeOf = std::function<const void*(const void* part)>;

  // `preemptions`: at most so many times a task that could go on does not; nothing: no bound.
  // `whole_of`: null: each part is on its own.
  explicit ExhaustiveSearch(std::optional<unsigned> preemptions, WholeOf whole_of = {})
      : preemptions_(preemptions), whole_of_(std::move(whole_of)) {}

  // For the next run. To be called after the run before it has ended; false: there is none left.
  bool begin_run();
  // Of the run begun last; valid until the next.
  DecidingStrategy& strategy() { return *run_; }
  // The run added nothing: each of its choices was already known not to matter.
  bool redundant() const { return redundant_; }

 private:
  class Run;

  // One decision of the run under way. Tasks are named by pid: it is the same in every run with
  // the same decisions before.
  struct Node {
    std::vector<uint32_t> tasks;  // that can go on, in order; the running one is last
    bool has_current = false;     // it can go on
    size_t chosen = 0;
    std::vector<bool> done;          // tried
    std::vector<bool> wanted;        // to be tried
    std::vector<uint32_t> sleeping;  // need not be tried
    unsigned preemptions = 0;        // before this decision
  };
  // How many decisions, by task, happened before, each at the index it has in nodes_ plus one.
  using Clock = std::vector<size_t>;
  // The latest step on an object: its decision, whose it was, and all that happened before it.
  struct Access {
    size_t decision = 0;
    uint32_t task = 0;
    Clock clock;
  };
  struct TaskState {
    const void* object = nullptr;  // what its next step touches; null: not known
    bool runnable = false;         // at the latest decision
    Clock clock;
  };

  size_t decide(const Task* current, const void* object, const RunQueue& runnable);
  size_t decide_among(size_t count);
  unsigned preemptions_so_far() const;
  bool may_choose(const Node& node, size_t choice) const;
  std::optional<size_t> first_choice(const Node& node) const;
  Node make_node(const Task* current, const RunQueue& runnable) const;
  TaskState& task(uint32_t pid);
  void note_tasks(const Task* current, const void* object, const RunQueue& runnable);
  void note_task(const Task& task, bool runs, const void* object);
  void find_races(const Node& node);
  void find_race(uint32_t pid, const Access& access);
  void want_conflicting(Node& node);
  void take_step(const Node& node);
  bool independent(uint32_t left, uint32_t right) const;
  const void* whole(const void* part) const;

  const std::optional<unsigned> preemptions_;
  const WholeOf whole_of_;
  std::unique_ptr<DecidingStrategy> run_;
  std::vector<Node> nodes_;
  bool any_run_ = false;

  // Of this run.
  size_t depth_ = 0;  // decisions taken
  bool redundant_ = false;
  uint32_t runner_ = 0;  // whom the latest decision chose
  std::vector<TaskState> tasks_;
  std::map<const void*, Access> accesses_;  // looked up in, never gone through but for all of it
  std::vector<uint32_t> sleeping_;          // at the decision that comes next
};

}  // namespace coldread::sim
