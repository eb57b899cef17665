// Many pieces of work on several threads, with results in the order of the pieces.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace coldread::cli {

// Calls work(0) ... work(count - 1), up to `jobs` at once, and take(index, result) on the calling
// thread in order of index, each as soon as all before it are there. Once `stop` is set no further
// piece begins; those under way are finished and taken. Every piece begun before another has a
// smaller index, so what is taken has no gaps.
template <typename T>
void run_batch(size_t count, unsigned jobs, const std::atomic<bool>& stop,
               const std::function<T(size_t)>& work, const std::function<void(size_t, T)>& take) {
  std::vector<std::optional<T>> results(count);
  std::mutex lock;
  std::condition_variable changed;
  size_t next = 0;
  unsigned working = jobs;

  const auto worker = [&] {
    std::unique_lock guard(lock);
    while (next < count && !stop) {
      const size_t mine = next++;
      guard.unlock();
      T result = work(mine);
      guard.lock();
      results[mine] = std::move(result);
      changed.notify_one();
    }
    --working;
    changed.notify_one();
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < jobs; ++i) threads.emplace_back(worker);

  for (size_t i = 0; i < count; ++i) {
    std::unique_lock guard(lock);
    changed.wait(guard, [&] { return results[i].has_value() || working == 0; });
    if (!results[i]) break;
    T result = std::move(*results[i]);
    results[i].reset();
    guard.unlock();
    take(i, std::move(result));
  }
}

}  // namespace coldread::cli
