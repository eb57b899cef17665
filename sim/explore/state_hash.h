// A number for the state a run is in, made from what led there.
//
// What a task does next depends on what it has seen of the objects it shares with others: so a
// state is told by each task's and each object's history (Musuvathi and Qadeer, "Iterative context
// bounding", 2007, use the same to count states). Interleavings that differ only in the order of
// steps on different objects lead to the same number. Steps that a task takes while nobody else
// could run count with the next.
//
// Thread rules: one run each, begun with restart().
#pragma once

#include <cstdint>
#include <vector>

#include "kernelmodel/ports/scheduler.h"
#include "sim/scheduler/strategy.h"

namespace coldread::sim {

class StateHash {
 public:
  // `by_place`: objects are told apart by their place in the run's arena, which does not depend on
  // who touched what first; else by the order in which they were first touched.
  explicit StateHash(bool by_place) : by_place_(by_place), slots_(kFirstSlots) {}

  void restart();
  // A decision: `current` (null: it has stopped) is about to touch `object`, and `chosen` goes on.
  void decide(const Task* current, const void* object, const Task& chosen);

  uint64_t value() const { return sum_; }

 private:
  static constexpr size_t kFirstSlots = 256;

  struct Object {
    const void* object = nullptr;
    uint32_t run = 0;  // of an earlier run: empty
    uint64_t history = 0;
  };
  struct TaskHistory {
    const void* next = nullptr;  // what it is about to touch
    uint64_t history = 0;
  };

  static uint64_t mix(uint64_t a, uint64_t b) {
    uint64_t value = (a ^ (b + 0x9e3779b97f4a7c15 + (a << 6))) * 0xbf58476d1ce4e5b9;
    return value ^ (value >> 31);
  }
  uint64_t first_history(const void* object) const;
  Object& find(const void* object);
  void grow();

  const bool by_place_;
  std::vector<Object> slots_;  // a power of two of them
  std::vector<TaskHistory> tasks_;
  uint32_t run_ = 1;
  uint32_t used_ = 0;
  uint64_t sum_ = 0;
};

}  // namespace coldread::sim
