#include "kernelmodel/kernel/work_queue.h"

#include <new>
#include <utility>

#include "kernelmodel/kernel/held_locks.h"
#include "kernelmodel/kernel/report_text.h"

namespace coldread {

// struct worker. One is always on its way to the list while work is there (starting_); each sends
// the next one before it runs what it took. So there are never more than work needs at once.
struct work_queue::Worker {
  explicit Worker(WorkQueue& its_queue) : queue(its_queue) {}

  WorkQueue& queue;
  Task* task = nullptr;
  Worker* next_idle = nullptr;
  bool called = false;      // out of idleness
  Work* current = nullptr;  // null as well when the work that runs is gone
  WaitList flushers;        // wait for this run to be over
};

namespace {

// A pending work's memory is given up: a worker will use it. Not an error when the run is over and
// all of it goes.
void check_not_pending(Scheduler& scheduler, const char* queue_name) {
  if (scheduler.current() == nullptr) return;
  ReportText text;
  text << "work was freed by " << scheduler.current()->name << " while it was pending on "
       << queue_name;
  report(scheduler, ReportKind::use_after_free, text);
}

}  // namespace

Work::~Work() {
  if (queue_ != nullptr) check_not_pending(queue_->scheduler_, queue_->name_);
  if (running_on_ != nullptr) running_on_->current = nullptr;
}

// --- queueing ---

bool WorkQueue::queue(Work& work) {
  scheduler_.preemption_point(this);
  return enqueue(work);
}

bool WorkQueue::enqueue(Work& work) {
  if (work.pending() || work.cancelling_ > 0) return false;
  work.queue_ = this;
  if (work.running_on_ == nullptr) {  // else when that run is over
    list_append(work);
    kick();
  }
  return true;
}

// Returns whether it was pending.
bool WorkQueue::dequeue(Work& work) {
  if (!work.pending()) return false;
  if (work.listed_) work.queue_->list_remove(work);
  work.queue_ = nullptr;
  release(work.flushers_);
  return true;
}

void WorkQueue::list_append(Work& work) {
  work.prev_ = last_;
  work.next_ = nullptr;
  (last_ != nullptr ? last_->next_ : first_) = &work;
  last_ = &work;
  work.listed_ = true;
}

void WorkQueue::list_remove(Work& work) {
  (work.prev_ != nullptr ? work.prev_->next_ : first_) = work.next_;
  (work.next_ != nullptr ? work.next_->prev_ : last_) = work.prev_;
  work.listed_ = false;
}

bool WorkQueue::flush(Work& work) {
  might_sleep(scheduler_, "flush_work", name_);
  scheduler_.preemption_point(this);
  if (!work.pending() && work.running_on_ == nullptr) return false;
  wait_for_run(work.pending() ? work.flushers_ : work.running_on_->flushers);
  return true;
}

bool WorkQueue::cancel_sync(Work& work) {
  might_sleep(scheduler_, "cancel_work_sync", name_);
  scheduler_.preemption_point(this);
  const bool was_pending = dequeue(work);
  wait_until_over(work);
  return was_pending;
}

// Waits for a run of it to end; it cannot be queued meanwhile.
void WorkQueue::wait_until_over(Work& work) {
  if (work.running_on_ == nullptr) return;
  work.cancelling_++;
  wait_for_run(work.running_on_->flushers);
  work.cancelling_--;
}

void WorkQueue::wait_for_run(WaitList& flushers) {
  Waiter waiter(scheduler_.current());
  wait_for_turn(scheduler_, flushers, waiter,
                WaitReason{.kind = "flush_work", .name = name_, .object = this});
}

void WorkQueue::release(WaitList& flushers) {
  while (!flushers.empty()) flushers.grant_first(scheduler_);
}

// --- workers ---

// There may be work: calls a worker if none is on its way. Whoever ends a run looks for itself.
void WorkQueue::kick() {
  if (first_ == nullptr || starting_ || active_ == kMaxActive) return;
  starting_ = true;
  if (idle_ != nullptr) {
    work_queue::Worker& worker = *std::exchange(idle_, idle_->next_idle);
    worker.called = true;
    scheduler_.wake(*worker.task);
    return;
  }
  void* memory =
      scheduler_.memory().allocate(sizeof(work_queue::Worker), alignof(work_queue::Worker));
  auto* worker = new (memory) work_queue::Worker(*this);
  ReportText name;
  name << "kworker/u:" << ++workers_ << "-" << name_;
  worker->task = &scheduler_.spawn(
      name, true,
      [](void* arg) {
        auto& self = *static_cast<work_queue::Worker*>(arg);
        self.queue.worker_loop(self);
      },
      worker);
  worker->task->waiting.object = this;  // it begins with a look at the queue
}

void WorkQueue::worker_loop(work_queue::Worker& worker) {
  starting_ = false;
  for (;;) {
    scheduler_.preemption_point(this);
    if (first_ == nullptr || active_ == kMaxActive) {
      wait_for_work(worker);
      continue;
    }
    Work& work = *first_;
    list_remove(work);
    active_++;
    kick();
    run(worker, work);
    active_--;
  }
}

void WorkQueue::wait_for_work(work_queue::Worker& worker) {
  worker.next_idle = std::exchange(idle_, &worker);
  while (!worker.called)
    scheduler_.block(WaitReason{.kind = "work", .name = name_, .idle = true, .object = this});
  worker.called = false;
  starting_ = false;
}

void WorkQueue::run(work_queue::Worker& worker, Work& work) {
  work.queue_ = nullptr;
  work.running_on_ = &worker;
  worker.current = &work;
  worker.flushers = std::exchange(work.flushers_, WaitList());
  work.fn_(work.arg_);
  scheduler_.preemption_point(this);
  if (worker.task->held_count > 0) [[unlikely]]
    held_locks::report_leaked_by_work(scheduler_);
  if (worker.current != nullptr) {
    work.running_on_ = nullptr;
    if (work.pending()) {
      work.queue_->list_append(work);
      work.queue_->kick();
    }
  }
  worker.current = nullptr;
  release(worker.flushers);
}

// --- delayed work ---

DelayedWork::~DelayedWork() {
  if (!timer_.armed) return;
  check_not_pending(queue_->scheduler_, queue_->name_);
  queue_->scheduler_.disarm(timer_);
}

void DelayedWork::expired(void* arg) {
  auto& self = *static_cast<DelayedWork*>(arg);
  self.queue_->enqueue(self.work_);
}

void WorkQueue::enqueue_after(DelayedWork& work, TimeNs delay) {
  work.queue_ = this;
  if (delay == 0) {
    enqueue(work.work_);
    return;
  }
  const TimeNs now = scheduler_.now();
  work.timer_.fn = DelayedWork::expired;
  work.timer_.arg = &work;
  scheduler_.arm(work.timer_, delay < UINT64_MAX - now ? now + delay : UINT64_MAX);
}

// Returns whether it was pending.
bool WorkQueue::take_back(DelayedWork& work) {
  if (!work.timer_.armed) return dequeue(work.work_);
  scheduler_.disarm(work.timer_);
  return true;
}

bool WorkQueue::queue_delayed(DelayedWork& work, TimeNs delay) {
  scheduler_.preemption_point(this);
  if (work.pending() || work.work_.cancelling_ > 0) return false;
  enqueue_after(work, delay);
  return true;
}

bool WorkQueue::mod_delayed(DelayedWork& work, TimeNs delay) {
  scheduler_.preemption_point(this);
  if (work.work_.cancelling_ > 0) return false;
  const bool was_pending = take_back(work);
  enqueue_after(work, delay);
  return was_pending;
}

bool WorkQueue::cancel_delayed(DelayedWork& work) {
  scheduler_.preemption_point(this);
  return take_back(work);
}

bool WorkQueue::cancel_delayed_sync(DelayedWork& work) {
  might_sleep(scheduler_, "cancel_delayed_work_sync", name_);
  scheduler_.preemption_point(this);
  const bool was_pending = take_back(work);
  wait_until_over(work.work_);
  return was_pending;
}

}  // namespace coldread
