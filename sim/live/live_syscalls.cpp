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
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::live {
namespace {

constexpr uint32_t kWantCacheSize = 0x04;  // FSCACHE_ADV_WANT_CACHE_SIZE

static_assert(scenario::kSubrequestOndemand == COLDREAD_SUBREQUEST_ONDEMAND);
static_assert(scenario::kSubrequestCopyToCache == COLDREAD_SUBREQUEST_COPY_TO_CACHE);
static_assert(static_cast<uint32_t>(scenario::HoleMode::clear) == COLDREAD_HOLE_CLEAR);
static_assert(static_cast<uint32_t>(scenario::HoleMode::fail) == COLDREAD_HOLE_FAIL);
static_assert(static_cast<uint32_t>(player::Source::fill_with_zeroes) == COLDREAD_FILL_WITH_ZEROES);
static_assert(static_cast<uint32_t>(player::Source::invalid_read) == COLDREAD_INVALID_READ);

uint64_t address(const void* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

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

// --- the netfs' calls
// ------------------------------------------------------------------------------

template <typename Argument>
int64_t LiveSyscalls::netfs(unsigned long request, Argument& argument) {
  return in_call(TaskState::in_call, [&] { return ::ioctl(netfs_, request, &argument); });
}

int64_t LiveSyscalls::netfs_cookie(unsigned long request, int cookie, bool flag,
                                   uint64_t object_size) {
  coldread_cookie_call call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.flag = flag;
  call.object_size = object_size;
  return netfs(request, call);
}

int64_t LiveSyscalls::acquire_volume(int volume) {
  const scenario::Volume& spec = scenario_.volumes[static_cast<size_t>(volume)];
  coldread_volume call{};
  call.volume = static_cast<uint32_t>(volume);
  call.key = address(spec.key.c_str());
  if (spec.cache) call.cache = address(spec.cache->c_str());
  call.coherency = address(spec.coherency.data());
  call.coherency_length = static_cast<uint32_t>(spec.coherency.size());
  return netfs(COLDREAD_ACQUIRE_VOLUME, call);
}

int64_t LiveSyscalls::relinquish_volume(int volume, bool invalidate) {
  coldread_volume call{};
  call.volume = static_cast<uint32_t>(volume);
  call.invalidate = invalidate;
  return netfs(COLDREAD_RELINQUISH_VOLUME, call);
}

int64_t LiveSyscalls::acquire_cookie(int cookie) {
  const scenario::Cookie& spec = scenario_.cookies[static_cast<size_t>(cookie)];
  coldread_cookie call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.volume = static_cast<uint32_t>(spec.volume);
  call.advice = spec.want_cache_size ? kWantCacheSize : 0;
  call.key = address(spec.key.data());
  call.key_length = static_cast<uint32_t>(spec.key.size());
  call.aux = address(spec.aux.data());
  call.aux_length = static_cast<uint32_t>(spec.aux.size());
  call.object_size = spec.size;
  return netfs(COLDREAD_ACQUIRE_COOKIE, call);
}

int64_t LiveSyscalls::relinquish_cookie(int cookie, bool retire) {
  return netfs_cookie(COLDREAD_RELINQUISH_COOKIE, cookie, retire, 0);
}

int64_t LiveSyscalls::use_cookie(int cookie, bool will_modify) {
  return netfs_cookie(COLDREAD_USE_COOKIE, cookie, will_modify, 0);
}

int64_t LiveSyscalls::unuse_cookie(int cookie, const uint64_t* object_size) {
  return netfs_cookie(COLDREAD_UNUSE_COOKIE, cookie, object_size != nullptr,
                      object_size ? *object_size : 0);
}

int64_t LiveSyscalls::invalidate(int cookie, uint64_t new_size) {
  return netfs_cookie(COLDREAD_INVALIDATE, cookie, false, new_size);
}

int64_t LiveSyscalls::resize(int cookie, uint64_t new_size) {
  return netfs_cookie(COLDREAD_RESIZE, cookie, false, new_size);
}

int64_t LiveSyscalls::prepare_read(int cookie, uint64_t start, uint64_t length, int64_t i_size,
                                   uint32_t flags, player::PrepareResult* out) {
  coldread_prepare call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.flags = flags;
  call.start = start;
  call.length = length;
  call.i_size = i_size;
  const int64_t result = netfs(COLDREAD_PREPARE_READ, call);
  if (result < 0) return result;
  out->source = static_cast<player::Source>(call.source);
  out->length = call.length;
  out->flags = call.flags;
  return result;
}

int64_t LiveSyscalls::cache_read(int cookie, uint64_t start, std::span<std::byte> data,
                                 scenario::HoleMode hole) {
  coldread_io call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.hole = static_cast<uint32_t>(hole);
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  return netfs(COLDREAD_CACHE_READ, call);
}

int64_t LiveSyscalls::cache_write(int cookie, uint64_t start, std::span<const std::byte> data) {
  coldread_io call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  return netfs(COLDREAD_CACHE_WRITE, call);
}

int64_t LiveSyscalls::cookie_size(int cookie) {
  coldread_cookie_call call{};
  call.cookie = static_cast<uint32_t>(cookie);
  const int64_t result = netfs(COLDREAD_COOKIE_SIZE, call);
  return result < 0 ? result : static_cast<int64_t>(call.object_size);
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
    const int64_t result = inject_errors(errors);
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
