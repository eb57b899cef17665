#include "sim/explore/state_hash.h"

#include <algorithm>

#include "sim/scheduler/run_arena.h"

namespace coldread::sim {

void StateHash::restart() {
  run_++;
  used_ = 0;
  sum_ = 0;
  std::fill(tasks_.begin(), tasks_.end(), TaskHistory());
}

uint64_t StateHash::first_history(const void* object) const {
  return by_place_ ? mix(RunArena::place_of(object), 1) : mix(used_, 2);
}

StateHash::Object& StateHash::find(const void* object) {
  const size_t mask = slots_.size() - 1;
  size_t at = static_cast<size_t>(mix(reinterpret_cast<uintptr_t>(object), 0));
  for (;; at++) {
    Object& slot = slots_[at & mask];
    if (slot.run == run_ && slot.object == object) return slot;
    if (slot.run == run_) continue;
    if (2 * ++used_ > slots_.size()) {
      grow();
      return find(object);
    }
    slot = {object, run_, first_history(object)};
    return slot;
  }
}

void StateHash::grow() {
  std::vector<Object> old(2 * slots_.size());
  old.swap(slots_);
  used_--;
  for (const Object& object : old) {
    if (object.run != run_) continue;
    size_t at = static_cast<size_t>(mix(reinterpret_cast<uintptr_t>(object.object), 0));
    while (slots_[at & (slots_.size() - 1)].run == run_) at++;
    slots_[at & (slots_.size() - 1)] = object;
  }
}

void StateHash::decide(const Task* current, const void* object, const Task& chosen) {
  const uint32_t highest = std::max(chosen.pid, current != nullptr ? current->pid : 0);
  if (highest >= tasks_.size()) tasks_.resize(highest + 1);
  if (current != nullptr) tasks_[current->pid].next = object;
  TaskHistory& task = tasks_[chosen.pid];
  // A sum, as the order among tasks and among objects says nothing.
  sum_ -= mix(task.history, chosen.pid);
  if (task.next != nullptr) {
    Object& touched = find(task.next);
    const uint64_t joined = mix(mix(task.history, touched.history), chosen.pid);
    touched.history = joined;
    task.history = joined;
  } else {
    task.history = mix(task.history, chosen.pid);
  }
  sum_ += mix(task.history, chosen.pid);
  task.next = nullptr;
}

}  // namespace coldread::sim
