// What the processes of one live run share: who is where, whose turn it is, who met at which
// barrier.
//
// Lives in memory that all processes of the run have mapped. Everything is atomic, nothing owns
// memory, and no lock can be left held by a process that is killed. Waiting is one futex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

enum class TaskState : uint32_t {
  running,   // between two calls, or not begun
  in_call,   // inside a system call of a step
  timed,     // asleep, or in a poll with a timeout: goes on by itself
  waiting,   // for a barrier or its turn
  settling,  // for everybody else to wait
  serving,   // in a poll that also ends when nothing more can happen
  ended,
};
const char* task_state_name(TaskState state);

struct TaskSlot {
  std::atomic<TaskState> state;
  std::atomic<int32_t> tid;            // 0 until its thread has begun
  std::atomic<uint32_t> settle_order;  // of its last settle, among those of all tasks
  std::atomic<uint32_t> settled;       // how often a settle of this task was granted
};

inline constexpr size_t kMaxBarriers = 4096;
inline constexpr size_t kMaxChildren = 1000;

// A forked process that does nothing until it is told to end.
struct ChildSlot {
  std::atomic<int32_t> pid;     // 0: not forked
  std::atomic<uint32_t> ended;  // it shall end
  std::atomic<uint32_t> gone;   // it has closed all its files
};

struct Board {
  std::atomic<uint32_t> change;    // the futex: counts everything anybody may wait for
  std::atomic<uint64_t> progress;  // counts begun and finished calls of all tasks
  std::atomic<uint64_t> sequence;
  std::atomic<uint32_t> settles;  // how many were asked for
  std::atomic<uint32_t> started;  // 1 once all processes exist
  std::atomic<int32_t> setup_turn;
  std::array<TaskSlot, scenario::kMaxTasks> tasks;
  std::array<std::atomic<int32_t>, scenario::kMaxTasks> pids;  // by process; 0: none, or gone
  std::array<std::atomic<uint32_t>, kMaxBarriers> arrivals;
  std::array<ChildSlot, kMaxChildren> children;

  // Tells everybody who waits to look again.
  void changed();
  // Waits until something changed after `change` had the value `seen`, at most timeout_ms (-1:
  // ever).
  void wait_change(uint32_t seen, int timeout_ms);

  template <typename Predicate>
  void wait_until(Predicate predicate) {
    for (;;) {
      const uint32_t seen = change.load();
      if (predicate()) return;
      wait_change(seen, -1);
    }
  }
};

static_assert(std::atomic<uint64_t>::is_always_lock_free);

// Owns the mapping; processes forked later share it.
class SharedBoard {
 public:
  SharedBoard();
  ~SharedBoard();
  SharedBoard(const SharedBoard&) = delete;
  SharedBoard& operator=(const SharedBoard&) = delete;

  Board& operator*() const { return *board_; }
  Board* operator->() const { return board_; }

 private:
  Board* board_;
};

}  // namespace coldread::live
