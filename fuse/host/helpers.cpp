// Threads that take errands in turn.
#include "fuse/host/helpers.h"

namespace coldread::fuse {

Helpers::Helpers(Scheduler& scheduler, size_t limit, std::function<bool()> on_fiber,
                 std::function<void(Errand&)> ended)
    : scheduler_(scheduler),
      limit_(limit),
      on_fiber_(std::move(on_fiber)),
      ended_(std::move(ended)) {}

void Helpers::run(void (*function)(void*), void* argument) {
  const bool taped = tape_ != nullptr && tape_->on();
  if (taped && tape_->playing()) {
    Errand none;
    return tape_->errand_begins(none);
  }
  if (!on_fiber_()) {
    function(argument);
    return;
  }
  Errand errand{function, argument, scheduler_.current(), false, 0};
  if (taped) tape_->errand_begins(errand);
  {
    const std::lock_guard guard(lock_);
    waiting_.push_back(&errand);
    if (waiting_.size() > idle_ && threads_.size() < limit_) {
      threads_.emplace_back([this] { serve(); });
    }
  }
  work_.notify_one();
  while (!errand.done) scheduler_.block(kWaitsForHelper);
}

void Helpers::serve() {
  std::unique_lock guard(lock_);
  while (true) {
    idle_++;
    work_.wait(guard, [this] { return ending_ || !waiting_.empty(); });
    idle_--;
    if (ending_) return;
    Errand& errand = *waiting_.front();
    waiting_.pop_front();
    guard.unlock();
    errand.function(errand.argument);
    ended_(errand);
    guard.lock();
  }
}

void Helpers::end() {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
    waiting_.clear();
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace coldread::fuse
