// A hostile play from its first instruction to its end: who carries out what, and how it is put
// away.
#include "tests/fuzz/play.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/explore/strategies.h"
#include "tests/fuzz/stages.h"

namespace coldread::fuzz {
namespace {

constexpr size_t kDaemon = 0;
constexpr size_t kHelper = 1;
constexpr size_t kFirstReader = 2;
constexpr int kFirstFd = 3;
constexpr int kLastFd = 40;
constexpr uint64_t kMaxSteps = 100'000;  // of the scheduler: more are a livelock

sim::RunOptions run_options() {
  sim::RunOptions options;
  options.history = 0;
  options.max_steps = kMaxSteps;
  options.keep = player::Keep::outcomes;
  return options;
}

// libFuzzer keeps an input that brings a new number here, as it does one that reaches new code: of
// answers of each kind. So it also goes on from what failed in a new way, or once more.
constexpr size_t kKindsOfAnswers = 2048;
__attribute__((section("__libfuzzer_extra_counters"))) uint8_t answers_of_kind[kKindsOfAnswers];

void count(const Answer& answer) {
  const size_t error = answer.ret < 0 ? static_cast<size_t>(-answer.ret) : 0;
  const size_t call = static_cast<size_t>(answer.op) * 2 + (answer.on_device ? 1 : 0);
  uint8_t& seen = answers_of_kind[((call * 31 + answer.detail) * 131 + error) % kKindsOfAnswers];
  if (seen != UINT8_MAX) seen++;
}

// Each instruction once, in this order: statics that are made on first use must be made before the
// run's arena is in use.
std::vector<uint8_t> warm_up() {
  std::vector<uint8_t> bytes(kHeaderBytes);
  for (uint8_t op = 0; op < static_cast<uint8_t>(Op::count); op++) {
    if (op != static_cast<uint8_t>(Op::kill)) bytes.insert(bytes.end(), {op, 0, 0, 0});
  }
  return bytes;
}

}  // namespace

Play::Play(const Profile& profile, Stage stage)
    : profile_(profile), stage_(stage), scenario_(stage_scenario(stage)) {
  const std::vector<uint8_t> bytes = warm_up();
  program_.emplace(bytes);
  reset();
  sim::RunOptions options = run_options();
  options.further = this;
  bench_ = std::make_unique<sim::Workbench>(scenario_, profile_, options);
  program_.reset();
  forget();
}

Play::~Play() = default;

void Play::reset() {
  over_ = nullptr;
  for (Worker& worker : workers_) {
    worker.busy = worker.gone = false;
    std::fill_n(worker.buffer, std::exchange(worker.used, 0), std::byte{0});
  }
  device_ = kFirstFd;
  fd_count_ = message_count_ = 0;
  answered_ = delivered_count_ = 0;
  volumes_.fill({});
  cookies_.fill({});
  ragged_ = unload_ = false;
  turn_ = 0;
  // What the stage's setup did.
  devices_ = 0;
  add_fd(kFirstFd, true);
  if (stage_ == Stage::opened) return;
  volumes_[0] = {true, 0, 1};
  cookies_[0] = {true, 0, 1};
  if (stage_ != Stage::connected) return;
  add_fd(kFirstFd + 1, false);
  messages_[message_count_++] = {0, player::kOpOpen, 0, 1, kFirstFd + 1, 0, 0};
}

sim::RunResult Play::run(const Program& program) {
  reset();
  program_ = program;
  program_->restart();
  sim::FifoStrategy in_order;
  sim::StrategyBox box;
  sim::SchedulingStrategy* strategy = &in_order;
  if (program.by_chance()) {
    const sim::Search search = program.seed() % 2 == 0 ? sim::Search::random : sim::Search::pos;
    strategy = &box.make(search, program.seed(), 1, 1);
  }
  sim::RunResult result = bench_->run(*strategy);
  for (const Answer& answer : answers()) count(answer);
  program_.reset();
  forget();
  return result;
}

// What lies in the run's arena, before that is put back.
void Play::forget() {
  for (Worker& worker : workers_) {
    worker.entry = nullptr;
    std::string().swap(worker.proc);  // assigning would keep the memory
  }
}

void Play::play(sim::Machine& machine, size_t task, sim::ModelSyscalls& syscalls) {
  machine_ = &machine;
  syscalls_[task] = &syscalls;
  workers_[task].task = machine.scheduler().current();
  if (task == kDaemon)
    conduct();
  else
    work(task);
}

void Play::conduct() {
  Instruction instruction;
  while (program_ && program_->next(&instruction)) {
    turn_++;
    if (of_reader(instruction.op) || instruction.by_helper)
      hand_out(instruction);
    else
      carry_out(kDaemon, instruction);
    if (!instruction.at_once) calls(kDaemon).settle();
  }
  finish();
}

// To somebody who has nothing to do; else nobody does it.
void Play::hand_out(const Instruction& instruction) {
  const size_t task = of_reader(instruction.op) ? kFirstReader + instruction.a % kReaders : kHelper;
  Worker& worker = workers_[task];
  if (worker.busy || worker.gone) return;
  worker.job = instruction;
  worker.busy = true;
  machine_->scheduler().wake(*worker.task);
}

void Play::work(size_t task) {
  Worker& self = workers_[task];
  sim::FiberScheduler& scheduler = machine_->scheduler();
  while (true) {
    while (!self.busy && over_ != machine_ && !self.task->fatal_signal)
      scheduler.block({"fuzzing", "an instruction", true, true});
    if (self.task->fatal_signal) calls(task).close(-1);  // it is gone: does not return
    if (!self.busy) return;
    carry_out(task, self.job);
    self.busy = false;
  }
}

// An orderly end: whoever waits behind it was forgotten by the kernel.
void Play::finish() {
  constexpr uint64_t kTimersMs = 11'000;  // longer than the kernel's run
  turn_++;
  for (int fd = kFirstFd; fd < kLastFd; fd++) calls(kDaemon).close(fd);
  calls(kDaemon).settle();
  for (size_t cookie = 0; cookie < kCookies; cookie++) give_back(kDaemon, cookie, false);
  for (size_t volume = 0; volume < kVolumes; volume++) relinquish_volume(kDaemon, volume, false);
  calls(kDaemon).settle();
  if (unload_ && calls(kDaemon).unload() == 0) calls(kDaemon).sleep_ms(kTimersMs);
  over_ = machine_;
  for (size_t task = kHelper; task < kTasks; task++) {
    if (!workers_[task].gone) machine_->scheduler().wake(*workers_[task].task);
  }
}

void Play::carry_out(size_t task, const Instruction& instruction) {
  if (of_reader(instruction.op))
    reader_op(task, instruction);
  else if (instruction.op >= Op::disk)
    other_op(task, instruction);
  else
    daemon_op(task, instruction);
}

void Play::note(size_t task, Op op, uint8_t detail, bool on_device, int64_t ret, uint64_t more) {
  if (answered_ == kMaxAnswers) return;
  answers_[answered_++] = {static_cast<uint8_t>(task), op, turn_, detail, on_device, ret, more};
}

std::span<std::byte> Play::lend(size_t task, size_t length) {
  Worker& worker = workers_[task];
  worker.used = std::max(worker.used, length);
  return {worker.buffer, length};
}

int Play::pick_fd(uint8_t number) const {
  if (fd_count_ == 0 || number >= 0xe0) return number & 0x1f;
  return fds_[fd_count_ - 1 - number % fd_count_];
}

uint64_t Play::pick_id(uint8_t number) const {
  constexpr uint64_t kOddIds[] = {0, 1, 2, 3, UINT32_MAX, UINT32_MAX + uint64_t{1}, UINT64_MAX, 64};
  if (message_count_ == 0 || number >= 0xe0) return kOddIds[number % std::size(kOddIds)];
  return messages_[message_count_ - 1 - number % message_count_].id;
}

const Delivered* Play::message(uint64_t id) const {
  for (size_t i = message_count_; i-- > 0;)
    if (messages_[i].id == id) return &messages_[i];
  return nullptr;
}

int Play::fd_of_object(uint32_t object) const {
  for (size_t i = message_count_; i-- > 0;) {
    if (messages_[i].opcode == player::kOpOpen && messages_[i].object == object)
      return messages_[i].fd;
  }
  return pick_fd(0);
}

void Play::add_fd(int64_t fd, bool device) {
  if (fd < 0 || fd >= 64) return;
  if (device) devices_ |= uint64_t{1} << fd;
  if (fd_count_ == kMaxFds) {
    std::rotate(fds_.begin(), fds_.begin() + 1, fds_.end());
    fd_count_--;
  }
  fds_[fd_count_++] = static_cast<int>(fd);
}

void Play::remove_fd(int fd) {
  if (is_device(fd)) devices_ &= ~(uint64_t{1} << fd);
  const auto end = fds_.begin() + static_cast<ptrdiff_t>(fd_count_);
  fd_count_ = static_cast<size_t>(std::remove(fds_.begin(), end, fd) - fds_.begin());
}

namespace {

constexpr const char* kTaskNames[] = {"daemon", "helper", "reader0", "reader1", "reader2"};

}  // namespace

std::string answer_text(const Answer& answer) {
  const std::string said =
      answer.op == Op::command ? fmt::format(" \"{}\"", known_commands()[answer.detail]) : "";
  return fmt::format("{}, {}: {}{} = {} ({:x})", answer.turn, kTaskNames[answer.task],
                     op_name(answer.op), said, answer.ret, answer.more);
}

std::string play_text(const Program& program, const Play& play) {
  std::string text = fmt::format("stage {}, {}\n", stage_name(program.stage()),
                                 program.by_chance() ? fmt::format("seed {}", program.seed())
                                                     : std::string("first in, first out"));
  Program again = program;
  again.restart();
  Instruction instruction;
  while (again.next(&instruction)) {
    text += fmt::format("  {}{} {} {} {}{}\n", op_name(instruction.op),
                        instruction.by_helper ? " (helper)" : "", instruction.a, instruction.b,
                        instruction.c, instruction.at_once ? ", at once" : "");
    if (!instruction.bytes.empty())
      text += fmt::format("    \"{}\"\n",
                          std::string(instruction.bytes.begin(), instruction.bytes.end()));
  }
  text += "answers:\n";
  for (const Answer& answer : play.answers()) text += "  " + answer_text(answer) + "\n";
  return text;
}

}  // namespace coldread::fuzz
