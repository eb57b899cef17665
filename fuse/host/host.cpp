// The loop: run fibers until none can go on, sleep until something comes.
#include "fuse/host/host.h"

#include <fmt/core.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <system_error>

namespace coldread::fuse {
namespace {

constexpr size_t kErrandThreads = 4096;
constexpr auto kWatching = std::chrono::microseconds(25);

bool several_processors() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) > 1;
}

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

TimeNs Host::SteadyClock::real() const {
  return static_cast<TimeNs>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - start_).count());
}

Host::Host(size_t disk_threads)
    : scheduler_(strategy_, {.stacks = nullptr, .clock = &clock_}),
      epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      may_watch_(several_processors()),
      disk_(
          scheduler_, disk_threads, [this] { return on_host_thread() && scheduler_.current(); },
          [this](Errand& errand) { errand_ended(errand); }),
      errands_(
          scheduler_, kErrandThreads, [this] { return on_host_thread() && scheduler_.current(); },
          [this](Errand& errand) { errand_ended(errand); }) {
  // Each write is an edge, so nobody has to read.
  watch(
      wake_, [] {}, EPOLLET);
}

Host::~Host() {
  stop();
  close(wake_);
  close(epoll_);
}

void Host::use(Tape& tape) {
  tape_ = &tape;
  disk_.use(tape);
  errands_.use(tape);
  if (tape.on()) clock_.set(0);
}

void Host::watch(int fd, std::function<void()> on_readable, uint32_t flags) {
  watched_[fd] = std::move(on_readable);
  epoll_event event{};
  event.events = EPOLLIN | flags;
  event.data.fd = fd;
  checked(epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void Host::unwatch(int fd) {
  if (watched_.erase(fd) != 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
}

void Host::start() {
  std::promise<void> known;
  thread_ = std::thread([this, &known] {
    thread_id_ = std::this_thread::get_id();
    known.set_value();
    run();
  });
  known.get_future().wait();
}

// --- from other threads ---

void Host::wake_thread() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

// The thread is woken without the lock, which it wants first of all.
bool Host::post(Job job) {
  bool asleep = false;
  {
    const std::lock_guard guard(lock_);
    if (closed_) return false;
    posted_.push_back(std::move(job));
    asleep = std::exchange(asleep_, false);
  }
  if (asleep) wake_thread();
  return true;
}

bool Host::call(Job job, std::chrono::milliseconds at_most) {
  // Held by the job alone: if that is forgotten, the promise is broken.
  auto promise = std::make_shared<std::promise<void>>();
  std::future<void> ended = promise->get_future();
  job.run = [promise = std::move(promise), function = std::move(job.run)] {
    function();
    promise->set_value();
  };
  const bool taken = post(std::move(job));
  if (!taken || ended.wait_for(at_most) != std::future_status::ready) return false;
  try {
    ended.get();
    return true;
  } catch (const std::future_error&) {
    return false;
  }
}

void Host::errand_ended(Errand& errand) {
  bool asleep = false;
  {
    const std::lock_guard guard(lock_);
    ended_.push_back(&errand);
    asleep = std::exchange(asleep_, false);
  }
  if (asleep) wake_thread();
}

void Host::stop(const std::function<void()>& unblock) {
  {
    const std::lock_guard guard(lock_);
    stopping_ = closed_ = true;
    if (std::exchange(asleep_, false)) wake_thread();
  }
  if (thread_.joinable()) thread_.join();
  thread_id_ = {};
  if (unblock) unblock();
  disk_.end();
  errands_.end();
  scheduler_.drop();
  // Whoever waits in call() learns that it was in vain.
  const std::lock_guard guard(lock_);
  posted_.clear();
  workers_.clear();
  idle_.clear();
}

// --- the host's thread ---

void Host::run() {
  tick();
  record(R"("in":"start")");
  while (true) {
    enter();
    const sim::RunEnd end = scheduler_.run();
    tape_->turn_ends();
    if (end.kind != sim::RunEnd::Kind::idle) {
      tape_->ends(end);
      {
        const std::lock_guard guard(lock_);
        closed_ = true;
      }
      if (on_broken_) on_broken_(end);
      return;
    }
    {
      const std::lock_guard guard(lock_);
      if (stopping_) return tape_->ends(end);
    }
    next_timer_ = end.next_timer;
    wait_for_events(next_timer_);
  }
}

// On a tape time passes here alone.
void Host::tick() {
  if (tape_->on()) clock_.set(clock_.real());
}

void Host::record(std::string_view text) {
  if (tape_->on()) tape_->enters(scheduler_.steps(), clock_.now(), text);
}

// What came from other threads enters the model.
void Host::enter() {
  std::deque<Job> posted;
  std::vector<Errand*> ended;
  {
    const std::lock_guard guard(lock_);
    posted.swap(posted_);
    ended.swap(ended_);
  }
  for (Errand* errand : ended) {
    if (tape_->on()) record(fmt::format(R"("in":"done","errand":{})", errand->number));
    errand->done = true;
    scheduler_.wake(*errand->task);
  }
  for (Job& job : posted) {
    record(job.record.empty() ? std::string_view(R"("in":"job")") : job.record);
    begin(std::move(job));
  }
  if (ended.empty() && posted.empty() && next_timer_ <= clock_.now()) record(R"("in":"timer")");
}

bool Host::begin_oldest() {
  if (posted_.empty()) return false;
  Job job = std::move(posted_.front());
  posted_.pop_front();
  begin(std::move(job));
  return true;
}

bool Host::begin_newest() {
  if (posted_.empty()) return false;
  Job job = std::move(posted_.back());
  posted_.pop_back();
  begin(std::move(job));
  return true;
}

bool Host::has_news() const {
  return !posted_.empty() || !ended_.empty() || stopping_;
}

// A processor that sleeps takes longer to wake than most requests to answer, and who was just
// answered often asks again: so the thread looks out for a while before it sleeps, unless others
// want its processor. With 10 us little was gained, with 50 the helpers lacked the time.
int Host::watch_awhile(std::span<epoll_event> events) {
  if (!may_watch_) return 0;
  const auto end = std::chrono::steady_clock::now() + kWatching;
  do {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    if (count != 0) return count;
    {
      const std::lock_guard guard(lock_);
      if (has_news()) return 0;
    }
    sched_yield();
  } while (std::chrono::steady_clock::now() < end);
  return 0;
}

void Host::wait_for_events(TimeNs next_timer) {
  int timeout = -1;  // ms
  if (next_timer != sim::RunEnd::kNoTimer) {
    const TimeNs now = clock_.real();
    const TimeNs rest = next_timer > now ? next_timer - now : 0;
    timeout = static_cast<int>(std::min<TimeNs>((rest + kNsPerMs - 1) / kNsPerMs, 60'000));
  }
  epoll_event events[16];
  int count = timeout == 0 ? 0 : watch_awhile(events);
  if (count == 0) {
    {
      const std::lock_guard guard(lock_);
      if (has_news()) timeout = 0;
      asleep_ = timeout != 0;
    }
    count = epoll_wait(epoll_, events, std::size(events), timeout);
  }
  {
    const std::lock_guard guard(lock_);
    asleep_ = false;
  }
  tick();
  for (int i = 0; i < count; i++) {
    const auto found = watched_.find(events[i].data.fd);
    if (found != watched_.end()) found->second();
  }
}

void Host::begin(Job job) {
  if (!idle_.empty()) {
    Worker& worker = *idle_.back();
    idle_.pop_back();
    worker.job = std::move(job);
    worker.called = true;
    scheduler_.wake(*worker.task);
    return;
  }
  Worker& worker = workers_.emplace_back(Worker{*this, std::move(job), true, nullptr});
  worker.task = &scheduler_.spawn(
      "worker", false,
      [](void* arg) {
        auto& self = *static_cast<Worker*>(arg);
        self.host.work(self);
      },
      &worker);
}

void Host::work(Worker& worker) {
  Task& task = *worker.task;
  while (true) {
    worker.called = false;
    task.name = worker.job.name.c_str();
    task.pid = worker.job.pid;
    task.fatal_signal = task.signal_pending = false;
    task.files = nullptr;
    task.capable = true;
    worker.job.run();
    task.name = "worker";
    worker.job.run = nullptr;  // what it captured goes now
    idle_.push_back(&worker);
    while (!worker.called) {
      scheduler_.block({.kind = "work", .name = "a job", .killable = false, .idle = true});
    }
  }
}

void Host::sleep(std::chrono::milliseconds time) {
  const TimeNs deadline = scheduler_.now() + static_cast<TimeNs>(time.count()) * kNsPerMs;
  while (scheduler_.now() < deadline) {
    scheduler_.block_until({.kind = "sleep", .name = "some time"}, deadline);
  }
}

}  // namespace coldread::fuse
