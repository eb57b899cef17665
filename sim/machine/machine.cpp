// A simulated computer from boot to power-off, and the transcript of what happened.
#include "sim/machine/machine.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "sim/machine/disk_calls.h"
#include "sim/outcome_hash.h"
#include "sim/scheduler/run_arena.h"

namespace coldread::sim {
namespace {

constexpr const char* kCacheDirectory = "/cache-disk";

std::unique_ptr<SchedulingStrategy> make_strategy(const RunOptions& options) {
  if (options.strategy == Strategy::random) return std::make_unique<RandomStrategy>(options.seed);
  return std::make_unique<FifoStrategy>();
}

// What mkfs.ext4 -b 4096 makes of a disk: limits and culling count in these.
struct DiskShape {
  uint64_t mebibytes, blocks, reserved, inodes;
};
constexpr DiskShape kDiskShapes[] = {
    {8, 892, 142, 2048},        {16, 2811, 285, 4096},        {32, 6649, 572, 8192},
    {64, 14325, 1146, 16384},   {128, 26605, 2293, 32768},    {256, 57274, 4586, 65536},
    {512, 124725, 9174, 32768}, {1024, 249195, 17203, 65536}, {4096, 1011640, 56524, 262144},
};

// What mkfs.ext4 -b 1024 makes of the smallest, in units of 4096 bytes as well.
constexpr DiskShape kSmallBlocks = {8, 1647, 143, 2048};

constexpr uint64_t kInodesPerBlock = 16;

void take_shape(const DiskShape& shape, StoreOptions& options) {
  options.bytes = shape.blocks * kPageSize;
  options.reserved_blocks = shape.reserved;
  options.inodes = shape.inodes;
}

StoreOptions store_options(const scenario::Scenario& scenario, Scheduler& scheduler) {
  const uint64_t total = scenario.cache_bytes / kPageSize;
  StoreOptions options;
  options.on_misuse = [&scheduler](std::string_view text) {
    scheduler.broken(ReportKind::use_after_free, text);
  };
  // Another size: about what it would be.
  options.bytes = total / 100 * 95 * kPageSize;
  options.reserved_blocks = total / 100 * 7;
  options.inodes = std::max<uint64_t>(total / 4, 512);
  options.reserved_inodes = 10;
  for (const DiskShape& shape : kDiskShapes) {
    if (shape.mebibytes << 20 == scenario.cache_bytes) take_shape(shape, options);
  }
  options.block = scenario.cache_block;
  if (scenario.cache_block != kPageSize) take_shape(kSmallBlocks, options);
  if (scenario.cache_inodes != 0) {
    // A larger or smaller inode table leaves less or more for everything else.
    options.bytes += options.inodes / kInodesPerBlock * kPageSize;
    options.inodes = scenario.cache_inodes;
    options.bytes -= options.inodes / kInodesPerBlock * kPageSize;
  }
  return options;
}

FiberScheduler::Options scheduler_options(const RunOptions& options) {
  FiberScheduler::Options result;
  result.max_steps = options.max_steps;
  result.stacks = options.stacks;
  result.watch = options.watch;
  result.tells_alone = options.tells_alone;
  return result;
}

}  // namespace

Machine::PlayedTask::PlayedTask(Machine& owner, size_t task_index)
    : machine(owner),
      index(task_index),
      syscalls(owner, task_index),
      player(
          owner.scenario_, task_index, syscalls, owner.process_of(task_index).state,
          [&owner, task_index](size_t, const player::Record& record) {
            if (owner.options_.on_record && player::came_back(record)) {
              owner.options_.on_record(owner.scenario_.tasks[task_index].name, record);
            }
          },
          owner.options_.keep) {}

Machine::Machine(const scenario::Scenario& scenario, const Profile& profile,
                 const RunOptions& options)
    : scenario_(scenario),
      options_(options),
      strategy_(make_strategy(options)),
      scheduler_(options.scheduling != nullptr ? *options.scheduling : *strategy_,
                 scheduler_options(options)),
      store_(store_options(scenario, scheduler_)),
      freezable_store_(scheduler_, store_),
      faulty_store_(freezable_store_),
      log_(scheduler_, options.keep == player::Keep::records, options.history, options.on_trace),
      kernel_(scheduler_, kernel_store(), log_, log_, profile),
      cache_directory_(store_.make_directory(kCacheDirectory)),
      children_(scenario.children.size()),
      netfs_(kernel_),
      setup_wait_(scheduler_, "its turn in the setup"),
      task_end_wait_(scheduler_, "the end of the other tasks") {
  kernel_.security = scenario.security;
  store_.make_foreign_directory("proc");
  for (size_t i = 0; i < scenario.processes.size(); i++) {
    store_.get(MemoryStore::kRoot);
    processes_.push_back(std::make_unique<Process>(kernel_, MemoryStore::kRoot));
    processes_.back()->state.cache_directory = kCacheDirectory;
  }
  for (const scenario::Barrier& barrier : scenario.barriers) {
    barriers_.push_back({0, std::make_unique<WaitQueue>(scheduler_, barrier.name.c_str())});
  }
}

// The disk itself, unless the scenario does what it takes another for.
BackingStore& Machine::kernel_store() {
  if (!scenario_.model_only.empty()) return faulty_store_;
  if (scenario_.freezes) return freezable_store_;
  return store_;
}

void Machine::start_tasks() {
  for (size_t i = 0; i < scenario_.tasks.size(); i++) {
    tasks_.push_back(std::make_unique<PlayedTask>(*this, i));
    Process& process = process_of(i);
    Task& task = scheduler_.spawn(scenario_.tasks[i].name, false, play_task, tasks_.back().get());
    tasks_.back()->task = &task;
    task.files = &process.files;
    task.cwd = process.cwd;
    process.tasks.push_back(&task);
    process.running++;
    unfinished_++;
  }
}

void Machine::play_task(void* played_task) {
  auto& task = *static_cast<PlayedTask*>(played_task);
  task.player.play();
  if (FurtherPlay* const further = task.machine.options_.further)
    further->play(task.machine, task.index, task.syscalls);
  task.machine.task_ended(task.machine.process_of(task.index));
}

void Machine::task_ended(Process& process) {
  std::erase(process.tasks, scheduler_.current());
  for (auto& played : tasks_) {
    if (played->task == scheduler_.current()) played->task = nullptr;
  }
  if (--process.running == 0) exit_process(process);
  unfinished_--;
  task_end_wait_.wake_up_all();
}

void Machine::exit_process(Process& process) {
  process.gone = true;
  exit_files(kernel_, process.files);
  while (!process.inbox.empty()) {
    const FileHandle file = process.inbox.front();
    process.inbox.pop_front();
    fput(kernel_, file);
  }
  store_.put(process.cwd);
}

int Machine::end_child(size_t child) {
  if (!children_[child] || !children_[child]->alive) return -ESRCH;
  children_[child]->alive = false;
  exit_files(kernel_, children_[child]->files);
  return 0;
}

void Machine::leave_if_killed(Process& process) {
  if (!process.killed) return;
  task_ended(process);
  // The stack stays behind; nobody waits for this task any more.
  while (true) scheduler_.block({"exit", "", false, true});
}

// What the netfs left behind is given back, so that the disk is as an orderly shutdown leaves it.
void Machine::power_off(void* argument) {
  auto& machine = *static_cast<Machine*>(argument);
  machine.kernel_.cachefiles.error_injection_state = 0;
  machine.kernel_.fails_next = Allocation::none;
  for (size_t i = 0; i < machine.children_.size(); i++) machine.end_child(i);
  machine.netfs_.release_all();
}

void Machine::play_setup() {
  start_tasks();
  end_.kind = RunEnd::Kind::paused;
  pauses_ = scenario_.setup_turns != 0;
  if (pauses_) end_ = scheduler_.run();
  pauses_ = false;
  store_.outcome();  // only what changes from here on has to be looked at in the end
}

RunResult Machine::play_rest() {
  if (scenario_.setup_turns == 0) scheduler_.setup_done();
  if (end_.kind == RunEnd::Kind::paused) end_ = scheduler_.run();
  if (end_.kind == RunEnd::Kind::finished) {
    scheduler_.spawn("power-off", false, power_off, this);
    end_ = scheduler_.run();
  }
  return collect(end_);
}

RunResult Machine::run() {
  play_setup();
  return play_rest();
}

RunResult Machine::collect(const RunEnd& end) {
  const RunArena::Outside outside;  // it outlives the run
  RunResult result;
  result.steps = scheduler_.steps();
  report_end(end, result);
  if (end.kind == RunEnd::Kind::finished && !result.transcript.report) report_leaks(result);
  if (options_.keep == player::Keep::outcomes) {
    collect_outcome(end, result);
    return result;
  }
  collect_records(result);
  if (end.kind == RunEnd::Kind::finished)
    result.transcript.disk = describe_disk(store_, cache_directory_);
  return result;
}

void Machine::collect_outcome(const RunEnd& end, RunResult& result) {
  OutcomeHash hash;
  for (size_t i = 0; i < tasks_.size(); i++) {
    const Process& process = process_of(i);
    hash.add(tasks_[i]->player.notes().outcome(!process.killed || !process.tasks.empty()));
  }
  if (end.kind == RunEnd::Kind::finished) hash.add(store_.outcome());
  if (result.transcript.report) hash.add(result.transcript.report->kind);
  result.outcome = hash.value();
}

void Machine::collect_records(RunResult& result) {
  result.transcript.kernel = kernel_.profile.name;
  for (size_t i = 0; i < tasks_.size(); i++) {
    std::vector<player::Record> records = tasks_[i]->player.records();
    if (!process_of(i).killed || !process_of(i).tasks.empty()) player::mark_waiting(records);
    result.transcript.tasks.emplace(scenario_.tasks[i].name, std::move(records));
  }
  result.transcript.events = log_.events();
  result.last_events = log_.last_events();
}

void Machine::report_end(const RunEnd& end, RunResult& result) const {
  result.transcript.report = log_.finding();
  if (end.kind == RunEnd::Kind::finished) return;
  player::RunReport report{report_kind_name(end.report), end.text, {}};
  for (const WaitingTask& task : end.waiting) {
    report.details.push_back(
        fmt::format("{} waits: {} {}", task.name, task.reason.kind, task.reason.name));
  }
  result.transcript.report = std::move(report);
}

// After an orderly end nothing may be left of anything.
void Machine::report_leaks(RunResult& result) {
  const PoolBase* pools[] = {&kernel_.files,
                             &kernel_.fscache.cookie_pool,
                             &kernel_.fscache.volume_pool,
                             &kernel_.fscache.cache_pool,
                             &kernel_.cachefiles.req_pool,
                             &kernel_.cachefiles.object_pool,
                             &kernel_.cachefiles.info_pool,
                             &kernel_.cachefiles.volume_pool,
                             &kernel_.cachefiles.cache_pool,
                             &kernel_.cachefiles.cred_pool};
  const bool any = std::any_of(std::begin(pools), std::end(pools),
                               [](const PoolBase* pool) { return pool->live() != 0; });
  if (!any && store_.held().empty()) return;
  // A request that is left was never answered: nobody waits for it any more, or it would be a hang.
  const bool unanswered = kernel_.cachefiles.req_pool.live() != 0;
  player::RunReport report{
      report_kind_name(unanswered ? ReportKind::never_answered : ReportKind::leak), "", {}};
  for (const PoolBase* pool : pools) {
    if (pool->live() == 0) continue;
    report.details.push_back(fmt::format("{} left: {}", pool->name(), pool->live()));
  }
  for (const MemoryStore::HeldInode& held : store_.held()) {
    report.details.push_back(
        fmt::format("inode {}: {} references left", held.inode, held.references));
  }
  report.text = "something is left over after everything was given back";
  result.transcript.report = std::move(report);
}

const void* Machine::whole_of(const void* address) {
  const void* whole = address;
  const auto look_in = [&]<typename T>(Pool<T>& pool) {
    pool.for_each_live([&](Handle<T> handle) {
      const T* const first = &*handle;
      if (!std::less<>()(address, static_cast<const void*>(first)) &&
          std::less<>()(address, static_cast<const void*>(first + 1)))
        whole = first;
    });
  };
  look_in(kernel_.files);
  look_in(kernel_.fscache.cookie_pool);
  look_in(kernel_.fscache.volume_pool);
  look_in(kernel_.fscache.cache_pool);
  look_in(kernel_.cachefiles.req_pool);
  look_in(kernel_.cachefiles.object_pool);
  look_in(kernel_.cachefiles.info_pool);
  look_in(kernel_.cachefiles.volume_pool);
  look_in(kernel_.cachefiles.cache_pool);
  return whole;
}

RunResult run(const scenario::Scenario& scenario, const RunOptions& options) {
  const Profile* changed = options.changed_profile;
  return Machine(scenario, changed ? *changed : *find_profile(options.profile), options).run();
}

}  // namespace coldread::sim
