// Where the modelled kernel lives when time is real: one thread that runs fibers, and what wakes
// it.
//
// All of the model runs on this thread. Work comes in as functions that become fibers (post), as
// file descriptors that can be read (watch), as timers, and from helper threads that have ended a
// call which might block. While there is nothing of this the thread sleeps.
//
// What goes in passes a Tape: with one that is on, time stands still while fibers run, so that all
// they can see of it is on the tape.
//
// Thread rules: post(), call() and stop() from any thread but, for call() and stop(), the host's.
// What runs on a fiber must keep nothing in local variables that owns memory while it waits: when
// the host stops, stacks are dropped as they are. Functions given to post() are kept elsewhere, so
// what they capture is safe.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "fuse/host/helpers.h"
#include "fuse/record/tape.h"
#include "sim/scheduler/scheduler.h"

namespace coldread::fuse {

// A function that runs on a fiber, and as whom: what tracepoints show.
struct Job {
  std::function<void()> run;
  std::string name = "coldread";
  uint32_t pid = 0;
  // For the tape, if it is on: the members of a JSON object that says what this is. Empty: a fiber
  // has posted it.
  std::string record = {};
};

class Host final {
 public:
  static constexpr size_t kDiskThreads = 4;

  explicit Host(size_t disk_threads = kDiskThreads);
  explicit Host(Tape& tape) : Host() { use(tape); }
  ~Host();  // stop()
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  sim::FiberScheduler& scheduler() { return scheduler_; }

  // Before anything else; it outlives the host.
  void use(Tape& tape);
  Tape& tape() { return *tape_; }

  // For calls that wait for nothing but a disk: a few threads.
  Offload& disk() { return disk_; }
  // For calls that may wait for our own mount, and so for other calls: as many threads as it takes.
  Offload& errands() { return errands_; }

  // `on_readable` runs on the host's thread, on no fiber, whenever `fd` can be read or has an
  // error. It must not block. Before start(), or on the host's thread. `flags` are epoll's.
  void watch(int fd, std::function<void()> on_readable, uint32_t flags = 0);
  void unwatch(int fd);

  // Begins to run. Until then the scheduler and what is built on it may be used by one other
  // thread.
  void start();

  // Runs it on a fiber of its own; jobs begin in the order in which they are posted. False: the
  // host has stopped or is broken, and the job is forgotten.
  bool post(Job job);
  bool post(std::function<void()> function) { return post(Job{std::move(function)}); }

  // As post(), and waits until it has ended, at most so long. False: it has not. What the function
  // refers to must live on then.
  bool call(Job job, std::chrono::milliseconds at_most = std::chrono::hours(24));
  bool call(std::function<void()> function,
            std::chrono::milliseconds at_most = std::chrono::hours(24)) {
    return call(Job{std::move(function)}, at_most);
  }

  // Ends the thread. Then `unblock`, if there is one, is called: it makes calls of helper threads
  // that wait for our own mount fail; then helpers are waited for and all stacks dropped. Once.
  void stop(const std::function<void()>& unblock = nullptr);

  // Called on the host's thread if the model breaks an invariant; no fiber runs after that.
  void on_broken(std::function<void(const sim::RunEnd&)> call) { on_broken_ = std::move(call); }

  // On a fiber: waits.
  void sleep(std::chrono::milliseconds time);

  // --- instead of start(), for a recording: by hand, on one thread ---

  void set_time(TimeNs now) { clock_.set(now); }
  // Begins a job that was posted: the one that waits longest, or the last. False: there is none.
  bool begin_oldest();
  bool begin_newest();

  bool on_host_thread() const { return std::this_thread::get_id() == thread_id_; }

 private:
  struct SteadyClock final : sim::Clock {
    TimeNs now() const override { return stopped_ ? now_ : real(); }
    TimeNs real() const;
    void set(TimeNs now) {
      stopped_ = true;
      now_ = now;
    }

   private:
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    bool stopped_ = false;
    TimeNs now_ = 0;
  };
  // A fiber that takes one job after the other: tasks live as long as the run, jobs do not.
  struct Worker {
    Host& host;
    Job job;
    bool called = false;
    Task* task = nullptr;
  };

  void run();
  void tick();
  void enter();
  void record(std::string_view text);
  void wait_for_events(TimeNs next_timer);
  int watch_awhile(std::span<epoll_event> events);  // how many there are
  bool has_news() const;                            // from other threads; the lock is held
  void wake_thread();
  void begin(Job job);
  void work(Worker& worker);
  void errand_ended(Errand& errand);

  SteadyClock clock_;
  sim::FifoStrategy strategy_;
  Tape no_tape_;
  Tape* tape_ = &no_tape_;

  // Jobs outlive the stacks they are used on.
  std::deque<Worker> workers_;
  std::vector<Worker*> idle_;

  sim::FiberScheduler scheduler_;

  int epoll_ = -1;
  int wake_ = -1;  // an eventfd
  const bool may_watch_;
  std::map<int, std::function<void()>> watched_;
  std::function<void(const sim::RunEnd&)> on_broken_;
  TimeNs next_timer_ = sim::RunEnd::kNoTimer;
  std::thread thread_;
  std::thread::id thread_id_;

  std::mutex lock_;  // of what follows
  std::deque<Job> posted_;
  std::vector<Errand*> ended_;
  bool asleep_ = false;
  bool stopping_ = false;
  bool closed_ = false;  // takes no jobs any more

  Helpers disk_;
  Helpers errands_;
};

}  // namespace coldread::fuse
