#include "sim/live/conductor.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "sim/live/disk.h"
#include "sim/live/kernel_log.h"
#include "sim/live/live_syscalls.h"
#include "sim/live/proc_state.h"
#include "sim/live/record_log.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::live {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// So many looks in a row, so far apart, must find everybody waiting.
constexpr int kCalmSamples = 4;
constexpr auto kBetweenSamples = 6ms;
constexpr auto kPutAwayPause = 2ms;
constexpr auto kPutAwayPatience = 5s;
constexpr int kRestlessPatience = 4;  // times as long, if the kernel is at work all the time

std::string record_path(const PlayOptions& options, size_t task) {
  return fmt::format("{}/records.{}", options.work_directory, task);
}

bool is_asleep(char state) {
  return state == 'S' || state == 'D';
}
bool is_gone(char state) {
  return state == 'X' || state == 'Z';
}

}  // namespace

Conductor::Conductor(const scenario::Scenario& scenario, const PlayOptions& options)
    : scenario_(scenario), options_(options), progress_at_(Clock::now()), busy_at_(progress_at_) {}

Conductor::~Conductor() {
  for (const TaskFiles& files : files_) {
    close(files.records);
    close(files.quiet);
  }
  close_inboxes();
}

Status Conductor::open_files() {
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    TaskFiles files;
    files.records = move_up(open(record_path(options_, i).c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
    files.quiet = move_up(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    files_.push_back(files);
    if (files.records < 0 || files.quiet < 0) {
      return Error{fmt::format("the player's files: {}", std::strerror(errno))};
    }
  }
  return Nothing{};
}

Status Conductor::open_inboxes() {
  shared_.netfs = options_.netfs;
  shared_.kernel = options_.kernel;
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) {
      return Error{fmt::format("socketpair: {}", std::strerror(errno))};
    }
    shared_.inboxes.push_back({move_up(ends[0]), move_up(ends[1])});
  }
  return Nothing{};
}

void Conductor::close_inboxes() {
  for (const Inbox& inbox : shared_.inboxes) {
    close(inbox.receive);
    close(inbox.send);
  }
  shared_.inboxes.clear();
}

Status Conductor::start_processes() {
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    const pid_t pid = fork();
    if (pid < 0) return Error{fmt::format("fork: {}", std::strerror(errno))};
    if (pid == 0) {
      play_process(scenario_, i, *board_, files_, shared_, options_.cache_directory);
    }
    board_->pids[i] = pid;
  }
  close_inboxes();  // what is in flight to a process ends with it
  board_->started = 1;
  board_->changed();
  return Nothing{};
}

// --- who waits
// -------------------------------------------------------------------------------------

bool Conductor::any_alive() const {
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    if (alive(i)) return true;
  }
  return false;
}

bool Conductor::task_over(size_t task) const {
  return board_->tasks[task].state == TaskState::ended || !alive(scenario_.tasks[task].process);
}

bool Conductor::all_over(size_t process) const {
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    if (scenario_.tasks[i].process == process && !task_over(i)) return false;
  }
  return true;
}

bool Conductor::task_waits(size_t task) const {
  if (task_over(task)) return true;
  const TaskSlot& slot = board_->tasks[task];
  if (slot.tid == 0 || slot.state == TaskState::running) return false;
  const char state = states_.of(board_->pids[scenario_.tasks[task].process], slot.tid);
  return is_asleep(state) || is_gone(state);
}

// A process whose tasks have ended is on its way out, unless it is stuck there.
bool Conductor::process_waits(size_t process) const {
  if (!alive(process)) return true;
  const pid_t pid = board_->pids[process];
  const char state = states_.of(pid, pid);
  return all_over(process) ? state == 'D' : is_asleep(state) || is_gone(state);
}

bool Conductor::everybody_waits() const {
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    if (!task_waits(i)) return false;
  }
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    if (!process_waits(i)) return false;
  }
  for (size_t i = 0; i < scenario_.children.size(); ++i) {
    const ChildSlot& child = board_->children[i];
    if (child.ended == 0 || child.gone != 0) continue;
    const char state = states_.of(child.pid, child.pid);
    if (!is_asleep(state) && !is_gone(state)) return false;
  }
  return options_.kernel.rests(states_);
}

// Looks once; when it has been calm for long enough, tells who waits for that: one settle at a
// time, in the order in which they were asked for, and if there is none, everybody who serves.
void Conductor::grant() {
  TaskSlot* settling = nullptr;
  bool serving = false;
  bool others = false;
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    if (task_over(i)) continue;
    TaskSlot& slot = board_->tasks[i];
    const TaskState state = slot.state;
    serving = serving || state == TaskState::serving;
    others = others || (state != TaskState::serving && state != TaskState::settling);
    if (state == TaskState::settling && (!settling || slot.settle_order < settling->settle_order)) {
      settling = &slot;
    }
  }
  if (!settling && (!serving || others)) return;
  const uint64_t progress = board_->progress;
  if (progress != calm_progress_ || !everybody_waits()) calm_samples_ = 0;
  calm_progress_ = progress;
  if (++calm_samples_ <= kCalmSamples) return;
  calm_samples_ = 0;
  if (settling) {
    ++settling->settled;
  } else {
    for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
      if (board_->tasks[i].state == TaskState::serving) eventfd_write(files_[i].quiet, 1);
    }
  }
  board_->changed();
}

// --- hangs
// -----------------------------------------------------------------------------------------

// Whether a task goes on without anybody's help: it runs, or a timer wakes it. One that was killed
// and does not get out of the kernel does neither, whatever it was about.
bool Conductor::goes_on_by_itself(size_t task) const {
  if (task_over(task)) return false;
  const TaskSlot& slot = board_->tasks[task];
  const TaskState state = slot.state;
  if (state != TaskState::timed && state != TaskState::running) return false;
  if (slot.tid == 0) return true;
  const char thread = states_.of(board_->pids[scenario_.tasks[task].process], slot.tid);
  return thread == 'R' || thread == 'S';
}

// A machine that is short of time is no hang: for half of the time everybody must be seen waiting
// whenever one looks. Only a kernel that never comes to rest is not waited for without end.
bool Conductor::hangs() {
  bool goes_on = board_->progress != seen_progress_;
  for (size_t i = 0; i < scenario_.tasks.size() && !goes_on; ++i) goes_on = goes_on_by_itself(i);
  const auto now = Clock::now();
  if (goes_on) {
    seen_progress_ = board_->progress;
    progress_at_ = now;
  }
  const auto silence = now - progress_at_;
  const auto patience = std::chrono::milliseconds(options_.hang_after_ms);
  if (silence < patience / 2 || !everybody_waits()) busy_at_ = now;
  return (silence > patience && now - busy_at_ >= patience / 2) ||
         silence > kRestlessPatience * patience;
}

std::string Conductor::describe_task(size_t task) const {
  const TaskSlot& slot = board_->tasks[task];
  const std::vector<player::Record> records = records_of(task);
  std::string where = "before its first step";
  if (!records.empty()) {
    where =
        fmt::format("{} ({})", records.back().value("step", "?"), records.back().value("do", "?"));
  }
  const pid_t pid = board_->pids[scenario_.tasks[task].process];
  std::string text =
      fmt::format("{}: {} at {}", scenario_.tasks[task].name, task_state_name(slot.state), where);
  if (slot.tid == 0) return text;
  return text +
         fmt::format(", state {}: {}", thread_state(pid, slot.tid), kernel_stack(pid, slot.tid));
}

player::RunReport Conductor::describe_hang() const {
  player::RunReport report;
  report.kind = "hang";
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    if (task_over(i)) continue;
    report.text += (report.text.empty() ? "" : ", ") + scenario_.tasks[i].name;
    report.details.push_back(describe_task(i));
  }
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    if (!alive(i) || !all_over(i)) continue;
    const pid_t pid = board_->pids[i];
    report.details.push_back(fmt::format("process {} does not end, state {}: {}",
                                         scenario_.processes[i], thread_state(pid, pid),
                                         kernel_stack(pid, pid)));
  }
  for (const std::string& text : options_.kernel.waiting()) report.details.push_back(text);
  report.text = fmt::format("no task got on for {} ms; still there: {}", options_.hang_after_ms,
                            report.text.empty() ? "processes that cannot end" : report.text);
  return report;
}

// --- the run
// ---------------------------------------------------------------------------------------

Status Conductor::reap() {
  int status = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (size_t i = 0; i < scenario_.processes.size(); ++i) {
      if (board_->pids[i] != pid) continue;
      board_->pids[i] = 0;
      ++board_->progress;
      board_->changed();
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        killed_.insert(i);
      } else if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return Error{fmt::format("the player of process {} crashed (wait status {:#x})",
                                 scenario_.processes[i], status)};
      }
    }
  }
  return Nothing{};
}

Status Conductor::run() {
  for (;;) {
    if (Status reaped = reap(); !reaped) return reaped;
    if (!any_alive() && end_children()) return Nothing{};
    grant();
    if (hangs()) {
      played_.transcript.report = describe_hang();
      return Nothing{};
    }
    if (calm_samples_ > 0)
      std::this_thread::sleep_for(kBetweenSamples);
    else
      board_->wait_change(board_->change, kBetweenSamples / 1ms);
  }
}

bool Conductor::end_children() {
  for (size_t i = 0; i < scenario_.children.size(); ++i) {
    ChildSlot& child = board_->children[i];
    if (child.pid == 0 || child.gone != 0) continue;
    if (child.ended.exchange(1) == 0) {
      ++board_->progress;
      board_->changed();
    }
    return false;
  }
  return true;
}

void Conductor::end_processes() {
  for (size_t i = 0; i < scenario_.children.size(); ++i) {
    const ChildSlot& child = board_->children[i];
    if (child.pid != 0 && child.gone == 0) kill(child.pid, SIGKILL);
  }
  for (size_t i = 0; i < scenario_.processes.size(); ++i) {
    if (alive(i)) kill(board_->pids[i], SIGKILL);
  }
}

// Whether fscache has nothing left, as soon as it comes to rest or after long enough.
bool Conductor::lets_go() {
  const auto begin = Clock::now();
  for (int calm = 0;;) {
    std::this_thread::sleep_for(kPutAwayPause);
    calm = options_.kernel.rests(states_) ? calm + 1 : 0;
    const auto elapsed = Clock::now() - begin;
    const bool late = elapsed > (calm > 0 ? 1 : kRestlessPatience) * kPutAwayPatience;
    // Looking at the tables keeps a mounted model busy, so it comes last.
    if (calm < kCalmSamples && !late) continue;
    if (options_.kernel.fscache_tables().empty()) return true;
    if (late) return false;
    calm = 0;
  }
}

void Conductor::put_away() {
  options_.kernel.inject_errors(0);
  options_.kernel.fail_allocation(Allocation::none);
  if (options_.netfs >= 0) ioctl(options_.netfs, COLDREAD_RESET);
  if (lets_go()) return;
  played_.clean = false;
  if (played_.transcript.report) return;
  played_.transcript.report = player::RunReport{
      "leak", "fscache did not let go of everything after all processes had ended",
      options_.kernel.fscache_tables()};
}

std::vector<player::Record> Conductor::records_of(size_t task) const {
  return read_records(read_file(record_path(options_, task)));
}

void Conductor::gather_records() {
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    std::vector<player::Record> records = records_of(i);
    if (!killed_.contains(scenario_.tasks[i].process)) player::mark_waiting(records);
    played_.transcript.tasks[scenario_.tasks[i].name] = std::move(records);
    unlink(record_path(options_, i).c_str());
  }
}

Status Conductor::gather_events() {
  auto events = options_.kernel.take_trace();
  if (!events) return Error{events.error()};
  played_.transcript.events = std::move(*events);
  return Nothing{};
}

Result<Played> Conductor::play() {
  options_.kernel.take_log();
  if (Status begun = options_.kernel.begin_trace(); !begun) return Error{begun.error()};
  if (scenario_.barriers.size() > kMaxBarriers) return Error{"too many barriers for a real run"};
  if (Status opened = open_files(); !opened) return Error{opened.error()};
  if (Status opened = open_inboxes(); !opened) return Error{opened.error()};
  Status ran = start_processes();
  if (ran) ran = run();
  Status traced = Nothing{};
  if (!ran || played_.transcript.report) {
    gather_records();  // before the end of one process lets another go on
    traced = gather_events();
    played_.clean = false;
    end_processes();
  } else {
    gather_records();
    put_away();
    traced = gather_events();
    Result<nlohmann::json> disk = describe_disk(options_.cache_directory);
    if (!disk) return Error{disk.error()};
    played_.transcript.disk = std::move(*disk);
  }
  const LogFindings log = scan_kernel_log(options_.kernel.take_log());
  if (log.fatal) return Error{"the guest's kernel failed: " + *log.fatal};
  if (!ran) return Error{ran.error()};
  if (!traced) return Error{traced.error()};
  if (log.warning && !played_.transcript.report) {
    played_.transcript.report = player::RunReport{"warning", *log.warning, {}};
  }
  return std::move(played_);
}

Result<Played> play_scenario(const scenario::Scenario& scenario, const PlayOptions& options) {
  return Conductor(scenario, options).play();
}

}  // namespace coldread::live
