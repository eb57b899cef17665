#include "fuse/supervisor/supervisor.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "fuse/host/process_memory.h"
#include "fuse/supervisor/held_call.h"

namespace coldread::fuse {
namespace {

constexpr const char* kDevice = "/dev/cachefiles";
constexpr std::string_view kDeviceName = "cachefiles";
constexpr size_t kMostThreads = 256;

pid_t thread_of(const seccomp_notif& call) {
  return static_cast<pid_t>(call.pid);
}

int int_argument(const seccomp_notif& call, size_t index) {
  return static_cast<int>(call.data.args[index]);
}

// open(), openat() and openat2() in one form.
struct OpenCall {
  int directory = AT_FDCWD;
  uint64_t path = 0;  // an address in the program
  open_how how{};
  bool exact = false;  // openat2(): flags that mean nothing are an error
};

// The argument of openat2(); nothing if the kernel would not take it either.
std::optional<open_how> how_of(const seccomp_notif& call) {
  open_how how{};
  std::byte bytes[256] = {};
  const uint64_t size = call.data.args[3];
  if (size < sizeof(how) || size > sizeof(bytes)) return {};
  if (read_memory(thread_of(call), call.data.args[2], std::span(bytes, size)) != 0) return {};
  const auto known = std::begin(bytes) + sizeof(how);
  if (std::any_of(known, std::end(bytes), [](std::byte byte) { return byte != std::byte{0}; }))
    return {};
  std::memcpy(&how, bytes, sizeof(how));
  return how;
}

std::optional<OpenCall> open_call(const seccomp_notif& call) {
  const auto& args = call.data.args;
#ifdef SYS_open
  if (call.data.nr == SYS_open) return OpenCall{AT_FDCWD, args[0], {args[1], 0, 0}, false};
#endif
  if (call.data.nr != SYS_openat2)
    return OpenCall{int_argument(call, 0), args[1], {args[2], 0, 0}, false};
  const std::optional<open_how> how = how_of(call);
  if (!how) return {};
  return OpenCall{int_argument(call, 0), args[1], *how, true};
}

// What the kernel says to such flags for a device, before it looks at who asks: 0, or a negative
// errno.
int opinion_on_flags(const OpenCall& wanted) {
  constexpr const char* kOther = "/dev/null";
  const auto flags = static_cast<int>(wanted.how.flags);
  const auto fd = static_cast<int>(
      wanted.exact ? syscall(SYS_openat2, AT_FDCWD, kOther, &wanted.how, sizeof(wanted.how))
                   : ::open(kOther, flags | O_CLOEXEC, 0));
  if (fd >= 0) close(fd);
  return fd >= 0 || errno == ENOENT ? 0 : -errno;
}

// Calls on descriptors are handed on. What names files reads the program's memory, and waits for
// daemons; our own copy of a descriptor may be the last when it is closed, of which older kernels
// tell the server and wait.
bool may_wait(const seccomp_notif& call) {
  switch (call.data.nr) {
    case SYS_read:
    case SYS_ioctl:
    case SYS_lseek:
    case SYS_write:
    case SYS_pwrite64:
      return false;
    default:
      return true;
  }
}

// Where a descriptor goes: -1 is the lowest free number.
std::optional<int> place(int number) {
  return number < 0 ? std::nullopt : std::optional(number);
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

FileCall file_call(const seccomp_notif& call, const FileIdentity& file) {
  const auto& args = call.data.args;
  switch (call.data.nr) {
    case SYS_ioctl:
      return {FileCall::What::ioctl, file, args[2], static_cast<uint32_t>(args[1])};
    case SYS_lseek:
      return {FileCall::What::lseek, file, args[1], static_cast<uint32_t>(args[2])};
    default:
      return {FileCall::What::write_nothing, file, call.data.nr == SYS_pwrite64 ? args[3] : 0, 0};
  }
}

// dup(), dup2(), dup3() and fcntl(F_DUPFD*) in one form.
struct DupCall {
  std::optional<int> exactly;  // this number and no other
  int from = 0;                // or the lowest from here on
  bool close_on_exec = false;
};

DupCall dup_call(const seccomp_notif& call) {
  switch (call.data.nr) {
#ifdef SYS_dup2
    case SYS_dup2:
      return {int_argument(call, 1), 0, false};
#endif
    case SYS_dup3:
      return {int_argument(call, 1), 0, (call.data.args[2] & O_CLOEXEC) != 0};
    case SYS_fcntl:
      return {{}, int_argument(call, 2), int_argument(call, 1) == F_DUPFD_CLOEXEC};
    default:
      return {};
  }
}

}  // namespace

Supervisor::Supervisor(int listener, WatchedRange range, DeviceService& service,
                       MountService* mounts)
    : listener_(std::make_shared<Listener>(listener)),
      range_(range),
      service_(service),
      mounts_(mounts != nullptr ? std::make_unique<MountCalls>(listener_, *mounts) : nullptr),
      stop_(eventfd(0, EFD_CLOEXEC)),
      redirections_(range.stand_in()) {}

Supervisor::~Supervisor() {
  eventfd_write(stop_, 1);
  if (receiver_.joinable()) receiver_.join();
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
  }
  arrived_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  close(stop_);
}

void Supervisor::receive_alone() {
  const std::lock_guard guard(lock_);
  if (receiver_.joinable()) return;
  receiver_ = std::thread([this] {
    while (listener_->wait(stop_) && receive()) {
    }
  });
}

bool Supervisor::receive() {
  seccomp_notif call{};
  const Listener::Received received = listener_->receive(&call);
  if (received == Listener::Received::call) {
    if (may_wait(call))
      hand_over(call);
    else
      handle(call);
  }
  return received != Listener::Received::ended;
}

void Supervisor::hand_over(const seccomp_notif& call) {
  {
    const std::lock_guard guard(lock_);
    if (calls_.size() < idle_ || start_worker()) {
      calls_.push_back(call);
      arrived_.notify_one();
      return;
    }
  }
  listener_->let_through(call.id);
}

// False: there are as many as there may be.
bool Supervisor::start_worker() {
  if (workers_.size() >= kMostThreads) return false;
  try {
    workers_.emplace_back([this] { work(); });
    idle_++;
    return true;
  } catch (const std::system_error&) {  // the machine's limit
    return false;
  }
}

void Supervisor::work() {
  std::unique_lock guard(lock_);
  while (true) {
    arrived_.wait(guard, [this] { return ending_ || !calls_.empty(); });
    if (calls_.empty()) return;
    const seccomp_notif call = calls_.front();
    calls_.pop_front();
    idle_--;
    guard.unlock();
    try {
      handle(call);
    } catch (const std::system_error&) {  // it takes more threads than there may be
      listener_->answer(call.id, -EAGAIN);
    }
    guard.lock();
    idle_++;
  }
}

void Supervisor::handle(const seccomp_notif& call) {
  switch (call.data.nr) {
#ifdef SYS_open
    case SYS_open:
#endif
    case SYS_openat:
    case SYS_openat2:
      return open(call);
    case SYS_read:
      return read(call);
    case SYS_ioctl:
    case SYS_lseek:
    case SYS_write:
    case SYS_pwrite64:
      return on_file(call);
    case SYS_dup:
#ifdef SYS_dup2
    case SYS_dup2:
#endif
    case SYS_dup3:
    case SYS_fcntl:
      return duplicate(call);
    default:
      if (mounts_ == nullptr || !mounts_->handle(call)) listener_->let_through(call.id);
  }
}

// Which file is meant is decided by what is read here; what the kernel reads if it is none of ours
// is between the program and the kernel.
void Supervisor::open(const seccomp_notif& call) {
  const std::optional<OpenCall> wanted = open_call(call);
  if (!wanted) return listener_->let_through(call.id);
  const std::optional<std::string> path = read_path(thread_of(call), wanted->path);
  const bool ours = path && ends_with(*path, kDeviceName) &&
                    absolute_path(thread_of(call), wanted->directory, *path) == kDevice;
  // The memory and the directory were this program's only if it still waits.
  if (!listener_->still_held(call.id)) return;
  if (!ours) return listener_->let_through(call.id);
  if ((wanted->how.flags & O_PATH) != 0) return listener_->let_through(call.id);
  if (const int error = opinion_on_flags(*wanted); error != 0)
    return listener_->answer(call.id, error);
  open_device(call, wanted->how.flags);
}

void Supervisor::open_device(const seccomp_notif& call, uint64_t flags) {
  if (!counts_as_administrator(thread_of(call))) return listener_->answer(call.id, -EPERM);
  const auto mode = static_cast<int>(flags & (O_ACCMODE | O_NONBLOCK));
  const int number = free_number(thread_of(call), 0);
  // Our own descriptor is closed by then: were it open when the program goes on, its close() would
  // not be the last. Nor must another open find the device busy with one whose program is dead, nor
  // with a copy that was being made for such a program.
  const std::lock_guard one_at_a_time(opening_);
  { const std::lock_guard copies_are_made(copying_); }
  listener_->answer(call.id, listener_->add_opened(call.id, service_.device_path(), mode,
                                                   place(number), (flags & O_CLOEXEC) != 0));
}

bool Supervisor::redirect(pid_t thread) {
  return redirections_.begin(thread);
}

void Supervisor::read(const seccomp_notif& call) {
  const int fd = int_argument(call, 0);
  const bool redirected = fd == range_.stand_in() && redirections_.expects(thread_of(call));
  if (!redirected && kind_of(thread_of(call), fd) != DeviceService::Kind::device) {
    return listener_->let_through(call.id);
  }
  // Only with range_.all is it seen opened for writing alone: then the kernel itself refuses.
  if (range_.all && !readable(thread_of(call), fd)) return listener_->let_through(call.id);
  service_.read(std::make_shared<HeldRead>(listener_, call.id, thread_of(call), call.data.args[1],
                                           call.data.args[2]));
}

void Supervisor::on_file(const seccomp_notif& call) {
  const std::optional<FileIdentity> file = file_of(thread_of(call), int_argument(call, 0));
  if (!file || service_.kind_of(*file) == DeviceService::Kind::other)
    return listener_->let_through(call.id);
  service_.call(
      std::make_shared<HeldFileCall>(listener_, call.id, thread_of(call), file_call(call, *file)));
}

// A copy of the device is placed in the range, unless the program wants another number: the kernel
// gives it that, and reads of it are no longer seen.
void Supervisor::duplicate(const seccomp_notif& call) {
  const int fd = int_argument(call, 0);
  const DupCall wanted = dup_call(call);
  const int number = wanted.exactly ? *wanted.exactly : free_number(thread_of(call), wanted.from);
  if (!range_.contains(number) || number == fd ||
      kind_of(thread_of(call), fd) != DeviceService::Kind::device) {
    return listener_->let_through(call.id);
  }
  const std::lock_guard one_at_a_time(copying_);
  const int copy = copy_descriptor(thread_of(call), fd);
  if (copy < 0) return listener_->let_through(call.id);
  listener_->answer(call.id, give(call, copy, number, wanted.close_on_exec));
}

DeviceService::Kind Supervisor::kind_of(pid_t thread, int fd) const {
  const std::optional<FileIdentity> file = file_of(thread, fd);
  return file ? service_.kind_of(*file) : DeviceService::Kind::other;
}

int Supervisor::free_number(pid_t thread, int from) const {
  if (range_.all) return -1;
  const rlim_t limit = descriptor_limit(thread);
  for (int fd = std::max(from, range_.first); fd < range_.stand_in(); ++fd) {
    if (static_cast<rlim_t>(fd) >= limit) return -1;
    if (!has_descriptor(thread, fd)) return fd;
  }
  return -1;
}

// `fd`, which is closed here, becomes the program's `number`, or (-1) its lowest free one.
int Supervisor::give(const seccomp_notif& call, int fd, int number, bool close_on_exec) const {
  const int given = listener_->add_fd(call.id, fd, place(number), close_on_exec);
  close(fd);
  return given;
}

}  // namespace coldread::fuse
