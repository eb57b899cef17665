// Threads for what may block for real: how a fiber waits for a disk without stopping the others.
//
// Thread rules: run() on a fiber of the host's thread waits as a fiber; anywhere else it simply
// calls the function. Lifetime: end() before the host's fibers are dropped, since arguments lie on
// their stacks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fuse/host/errand.h"
#include "fuse/offload.h"
#include "fuse/record/tape.h"
#include "kernelmodel/ports/scheduler.h"

namespace coldread::fuse {

class Helpers final : public Offload {
 public:
  // At most `limit` threads, started as they are needed. `on_fiber` says whether the caller is a
  // fiber; `ended` is called on a helper's thread and must see to it that, on the host's thread,
  // `done` is set and the task woken.
  Helpers(Scheduler& scheduler, size_t limit, std::function<bool()> on_fiber,
          std::function<void(Errand&)> ended);
  ~Helpers() { end(); }

  void use(Tape& tape) { tape_ = &tape; }  // before run()

  void run(void (*function)(void*), void* argument) override;

  // Waits for the functions that have begun and forgets the others; run() must not be called any
  // more. Not on a helper's thread.
  void end();

 private:
  void serve();

  Scheduler& scheduler_;
  const size_t limit_;
  const std::function<bool()> on_fiber_;
  const std::function<void(Errand&)> ended_;
  Tape* tape_ = nullptr;

  std::mutex lock_;
  std::condition_variable work_;
  std::deque<Errand*> waiting_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool ending_ = false;
};

}  // namespace coldread::fuse
