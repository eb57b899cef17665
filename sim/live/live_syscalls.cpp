#include "sim/live/live_syscalls.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "sim/live/disk_calls.h"

namespace coldread::live {
namespace {

int whence_number(scenario::LseekWhence whence) {
  switch (whence) {
    case scenario::LseekWhence::set:
      return SEEK_SET;
    case scenario::LseekWhence::cur:
      return SEEK_CUR;
    case scenario::LseekWhence::end:
      return SEEK_END;
    case scenario::LseekWhence::data:
      return SEEK_DATA;
    case scenario::LseekWhence::hole:
      return SEEK_HOLE;
  }
  return SEEK_SET;
}

}  // namespace

const KernelUnderTest LiveSyscalls::kThisMachine;

LiveSyscalls::LiveSyscalls(const scenario::Scenario& scenario, Board& board, size_t task, int netfs,
                           int quiet, Checkpoint checkpoint)
    : scenario_(scenario),
      board_(board),
      slot_(board.tasks[task]),
      netfs_(netfs),
      quiet_(quiet),
      process_(scenario.tasks[task].process),
      checkpoint_(std::move(checkpoint)) {}

void LiveSyscalls::begin_call(TaskState state) {
  if (checkpoint_) checkpoint_();
  ++board_.progress;
  slot_.state = state;
}

int64_t LiveSyscalls::end_call(int64_t answer) {
  slot_.state = TaskState::running;
  ++board_.progress;
  return answer;
}

// --- a process' system calls
// -----------------------------------------------------------------------

int64_t LiveSyscalls::close(int fd) {
  return in_call(TaskState::in_call, [&] { return ::close(fd); });
}

int64_t LiveSyscalls::read(int fd, std::span<std::byte> data) {
  return in_call(TaskState::in_call, [&] { return ::read(fd, data.data(), data.size()); });
}

int64_t LiveSyscalls::write(int fd, std::span<const std::byte> data) {
  return in_call(TaskState::in_call, [&] { return ::write(fd, data.data(), data.size()); });
}

int64_t LiveSyscalls::pwrite(int fd, std::span<const std::byte> data, uint64_t offset) {
  return in_call(TaskState::in_call, [&] {
    return ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
  });
}

int64_t LiveSyscalls::lseek(int fd, int64_t offset, scenario::LseekWhence whence) {
  return in_call(TaskState::in_call, [&] { return ::lseek(fd, offset, whence_number(whence)); });
}

int64_t LiveSyscalls::ioctl(int fd, uint32_t request, uint64_t argument) {
  return in_call(TaskState::in_call, [&] { return ::ioctl(fd, request, argument); });
}

int64_t LiveSyscalls::poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) {
  const TaskState state = until_quiet       ? TaskState::serving
                          : timeout_ms >= 0 ? TaskState::timed
                                            : TaskState::in_call;
  const int timeout = static_cast<int>(std::clamp<int64_t>(timeout_ms, -1, INT_MAX));
  pollfd watched[2] = {{fd, static_cast<short>(events), 0}, {quiet_, POLLIN, 0}};
  const int64_t ready =
      in_call(state, [&] { return ::poll(watched, until_quiet ? 2 : 1, timeout); });
  if (ready < 0) return ready;
  uint64_t count = 0;
  if (watched[1].revents && ::read(quiet_, &count, sizeof count) < 0) return -errno;
  return static_cast<unsigned short>(watched[0].revents);
}

// --- somebody else's, and faults
// -----------------------------------------------------------------

int64_t LiveSyscalls::disk(const std::string& directory, const scenario::DiskCall& call,
                           std::span<const std::byte> contents, nlohmann::json* entry) {
  return in_call(TaskState::in_call, [&] {
    const int64_t result = change_disk(directory, call, contents, entry);
    if (result < 0) errno = static_cast<int>(-result);
    return result;
  });
}

int64_t LiveSyscalls::inject(uint32_t errors) {
  return in_call(TaskState::in_call, [&] {
    const int64_t result = kernel_->inject_errors(errors);
    if (result < 0) errno = static_cast<int>(-result);
    return result;
  });
}

int64_t LiveSyscalls::fail_allocation(Allocation what) {
  return in_call(TaskState::in_call, [&] {
    const int64_t result = kernel_->fail_allocation(what);
    if (result < 0) errno = static_cast<int>(-result);
    return result;
  });
}

int64_t LiveSyscalls::fault(const scenario::Fault&) {
  return -ENOSYS;
}

int64_t LiveSyscalls::proc(const std::string& file, std::string* text) {
  return in_call(TaskState::in_call, [&] {
    const int64_t result = kernel_->read_proc(file, text);
    if (result < 0) errno = static_cast<int>(-result);
    return result;
  });
}

// --- the play
// --------------------------------------------------------------------------------------

void LiveSyscalls::sleep_ms(uint64_t ms) {
  timespec left{};
  left.tv_sec = static_cast<time_t>(ms / 1000);
  left.tv_nsec = static_cast<long>(ms % 1000) * 1'000'000;
  in_call(TaskState::timed, [&] {
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
    return 0;
  });
}

void LiveSyscalls::barrier(int barrier) {
  const size_t index = static_cast<size_t>(barrier);
  const uint32_t parties = scenario_.barriers[index].parties;
  std::atomic<uint32_t>& arrivals = board_.arrivals[index];
  const uint32_t mine = arrivals++;
  const uint32_t needed = (mine / parties + 1) * parties;
  board_.changed();
  wait(TaskState::waiting, [&] { return arrivals.load() >= needed; });
}

void LiveSyscalls::settle() {
  const uint32_t before = slot_.settled;
  slot_.settle_order = board_.settles++;
  wait(TaskState::settling, [&] { return slot_.settled.load() != before; });
}

bool LiveSyscalls::process_ended(int process) const {
  for (size_t i = 0; i < scenario_.tasks.size(); ++i) {
    if (scenario_.tasks[i].process != static_cast<size_t>(process)) continue;
    if (board_.tasks[i].state != TaskState::ended) return false;
  }
  return true;
}

int64_t LiveSyscalls::kill(int process) {
  const pid_t pid = board_.pids[static_cast<size_t>(process)];
  if (pid == 0 || process_ended(process)) return -ESRCH;
  return in_call(TaskState::in_call, [&] { return ::kill(pid, SIGKILL); });
}

void LiveSyscalls::await_setup_turn(int turn) {
  wait(TaskState::waiting, [&] { return board_.setup_turn.load() >= turn; });
}

void LiveSyscalls::end_setup_turn(int turn) {
  board_.setup_turn = turn + 1;
  board_.changed();
}

uint64_t LiveSyscalls::next_sequence() {
  return board_.sequence++;
}

}  // namespace coldread::live
