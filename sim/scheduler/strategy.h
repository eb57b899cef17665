// Who runs next: the seam at which first-in-first-out, chance or an explorer decides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

#include "kernelmodel/ports/scheduler.h"
#include "sim/scheduler/random_numbers.h"

namespace coldread::sim {

// The runnable tasks in order of becoming runnable: a ring that is large enough for all tasks.
class RunQueue {
 public:
  explicit RunQueue(std::pmr::memory_resource& memory) : ring_(16, nullptr, &memory) {}

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  Task& operator[](size_t index) const { return *ring_[(head_ + index) & (ring_.size() - 1)]; }

  void push_back(Task& task) {
    if (size_ == ring_.size()) [[unlikely]]
      grow();
    ring_[(head_ + size_++) & (ring_.size() - 1)] = &task;
  }

  Task& pop_front() {
    Task& task = (*this)[0];
    head_ = (head_ + 1) & (ring_.size() - 1);
    --size_;
    return task;
  }

  // Takes one out; the others keep their order. Takes time in proportion to `index`.
  Task& take(size_t index);

  void clear() { size_ = 0; }

 private:
  void grow();

  std::pmr::vector<Task*> ring_;  // its size is a power of two
  size_t head_ = 0;
  size_t size_ = 0;
};

class SchedulingStrategy {
 public:
  static constexpr size_t kStay = std::numeric_limits<size_t>::max();

  virtual ~SchedulingStrategy() = default;

  // What a scenario prepares is done: from here on interleavings matter.
  virtual void setup_done() {}

  // Whether preempt() is asked at all.
  virtual bool preemptive() const = 0;

  // The running task stopped: the index in `runnable`, which holds at least two, of the next one.
  virtual size_t next(const RunQueue& runnable) = 0;

  // `current` is about to touch `object`: the index in `runnable`, which is not empty, of the task
  // that runs instead, or kStay.
  virtual size_t preempt(const Task& current, const void* object, const RunQueue& runnable) = 0;

  // Only one task can go on: `current`, which is about to touch `object`, or, if that is null
  // because it has stopped, the one in `runnable`. Called if FiberScheduler::Options say so.
  virtual void alone(const Task* current, const void* object, const RunQueue& runnable) {
    (void)current, (void)object, (void)runnable;
  }

  // Which of `count` things that may happen does, 0 being the ordinary one.
  virtual size_t choose(size_t count) { return 0 * count; }
};

// First in, first out, each task until it waits.
class FifoStrategy final : public SchedulingStrategy {
 public:
  bool preemptive() const override { return false; }
  size_t next(const RunQueue&) override { return 0; }
  size_t preempt(const Task&, const void*, const RunQueue&) override { return kStay; }
};

// At every preemption point any of the tasks that can go on does so, all with the same probability.
class RandomStrategy final : public SchedulingStrategy {
 public:
  explicit RandomStrategy(uint64_t seed) : random_(seed) {}

  bool preemptive() const override { return true; }
  size_t next(const RunQueue& runnable) override { return random_.below(runnable.size()); }
  size_t preempt(const Task&, const void*, const RunQueue& runnable) override {
    const size_t choice = random_.below(runnable.size() + 1);
    return choice == runnable.size() ? kStay : choice;
  }

 private:
  RandomNumbers random_;
};

}  // namespace coldread::sim
