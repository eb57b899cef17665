// The run queue.
#include "sim/scheduler/strategy.h"

#include <algorithm>

namespace coldread::sim {

void RunQueue::grow() {
  std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(head_), ring_.end());
  head_ = 0;
  ring_.resize(2 * ring_.size(), nullptr);
}

Task& RunQueue::take(size_t index) {
  Task& taken = (*this)[index];
  const size_t mask = ring_.size() - 1;
  for (size_t i = index; i > 0; --i) ring_[(head_ + i) & mask] = ring_[(head_ + i - 1) & mask];
  pop_front();
  return taken;
}

}  // namespace coldread::sim
