// struct workqueue_struct (kernel/workqueue.c), an unbound one: work that runs later on kernel
// workers.
#pragma once

#include <cstdint>

#include "kernelmodel/kernel/wait_list.h"
#include "kernelmodel/ports/scheduler.h"

namespace coldread {

class WorkQueue;

namespace work_queue {

struct Worker;

}  // namespace work_queue

// struct work_struct: fn(arg) runs on a worker and may block. Never on two workers at once: queued
// again while it runs, it runs again afterwards. fn may destroy its own Work.
class Work {
 public:
  Work(void (*fn)(void*), void* arg) : fn_(fn), arg_(arg) {}
  // Reports ReportKind::use_after_free if it is still queued and a task runs.
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // work_pending: queued and that run not yet started. Not a preemption point.
  bool pending() const { return queue_ != nullptr; }

 private:
  friend class WorkQueue;

  void (*fn_)(void*);
  void* arg_;
  WorkQueue* queue_ = nullptr;  // while pending
  bool listed_ = false;         // in queue_'s list, with prev_ and next_
  uint32_t cancelling_ = 0;     // tasks in cancel_sync(): cannot be queued
  Work* prev_ = nullptr;
  Work* next_ = nullptr;
  work_queue::Worker* running_on_ = nullptr;
  WaitList flushers_;  // wait for the pending run to be over
};

// struct delayed_work: a Work that is queued when its time comes.
class DelayedWork {
 public:
  DelayedWork(void (*fn)(void*), void* arg) : work_(fn, arg) {}
  // Reports ReportKind::use_after_free if it is still pending and a task runs.
  ~DelayedWork();

  bool pending() const { return timer_.armed || work_.pending(); }  // delayed_work_pending

 private:
  friend class WorkQueue;
  static void expired(void* arg);

  Work work_;
  Timer timer_;
  WorkQueue* queue_ = nullptr;  // where to, once it has been queued at all
};

// Kthreads named "kworker/u:1-<name>" ..., started when there is work and nobody idle, kept for
// ever. A blocked worker holds up no other work until kMaxActive are blocked. queue(),
// queue_delayed() and mod_delayed() may be called from a timer's fn; each is a preemption point
// elsewhere. Must live as long as the run. `name` is a literal.
class WorkQueue {
 public:
  static constexpr uint32_t kMaxActive = 256;  // WQ_DFL_ACTIVE: works that run at once

  WorkQueue(Scheduler& scheduler, const char* name) : scheduler_(scheduler), name_(name) {}
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // queue_work: false if it is pending already (then nothing changes), or being cancelled.
  bool queue(Work& work);
  // flush_work: waits until the last queueing has been run; false if there was nothing to wait for.
  bool flush(Work& work);
  // cancel_work_sync: takes it off the queue and waits until it does not run; it cannot be queued
  // meanwhile. Returns whether it was pending.
  bool cancel_sync(Work& work);

  // queue_delayed_work: after `delay`; at once if 0. False if it is pending already.
  bool queue_delayed(DelayedWork& work, TimeNs delay);
  // mod_delayed_work: as queue_delayed, but a pending one gets the new time. Returns whether it was
  // pending.
  bool mod_delayed(DelayedWork& work, TimeNs delay);
  // cancel_delayed_work: does not wait for a running one. Returns whether it was pending.
  bool cancel_delayed(DelayedWork& work);
  bool cancel_delayed_sync(DelayedWork& work);

  const char* name() const { return name_; }

 private:
  friend class Work;
  friend class DelayedWork;

  bool enqueue(Work& work);
  bool dequeue(Work& work);
  void list_append(Work& work);
  void list_remove(Work& work);
  void kick();
  void worker_loop(work_queue::Worker& worker);
  void wait_for_work(work_queue::Worker& worker);
  void run(work_queue::Worker& worker, Work& work);
  void wait_until_over(Work& work);
  void wait_for_run(WaitList& flushers);
  void release(WaitList& flushers);
  void enqueue_after(DelayedWork& work, TimeNs delay);
  bool take_back(DelayedWork& work);

  Scheduler& scheduler_;
  const char* name_;
  Work* first_ = nullptr;  // pending and not running
  Work* last_ = nullptr;
  work_queue::Worker* idle_ = nullptr;  // the last that went idle first
  uint32_t workers_ = 0;
  uint32_t active_ = 0;    // works that run
  bool starting_ = false;  // a worker is on its way to the list
};

}  // namespace coldread
