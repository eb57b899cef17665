// What a task does with its process' files and with the process itself, as real system calls.
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sim/live/live_syscalls.h"

namespace coldread::live {
namespace {

// Takes CAP_SYS_ADMIN from the calling thread, or gives it back. 0 or -1 with errno.
int set_capable(bool capable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, sets) < 0) return -1;
  uint32_t& effective = sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective;
  if (capable)
    effective |= CAP_TO_MASK(CAP_SYS_ADMIN);
  else
    effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
  return static_cast<int>(syscall(SYS_capset, &header, sets));
}

int fcntl_number(scenario::FcntlCommand command) {
  switch (command) {
    case scenario::FcntlCommand::getfd:
      return F_GETFD;
    case scenario::FcntlCommand::setfd:
      return F_SETFD;
    case scenario::FcntlCommand::getfl:
      return F_GETFL;
    case scenario::FcntlCommand::setfl:
      return F_SETFL;
  }
  return -1;
}

// One byte with room for one descriptor.
struct FdMessage {
  FdMessage() {
    header.msg_iov = &data;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
  }
  FdMessage(const FdMessage&) = delete;
  FdMessage& operator=(const FdMessage&) = delete;

  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
};

// The life of a forked child: threads it had are gone, so nothing but system calls.
[[noreturn]] void live_as_child(Board& board, ChildSlot& child) {
  close_range(kFirstOwnFd, ~0u, 0);
  board.wait_until([&] { return child.ended.load() != 0; });
  close_range(0, ~0u, 0);
  child.gone = 1;
  board.changed();
  _exit(0);
}

}  // namespace

int64_t LiveSyscalls::open_device(int flags, bool capable) {
  return in_call(TaskState::in_call, [&] {
    if (!capable && set_capable(false) < 0) return -1;
    const int fd = ::open("/dev/cachefiles", flags);
    const int error = errno;
    if (!capable && set_capable(true) < 0) return -1;
    errno = error;
    return fd;
  });
}

std::span<std::byte> LiveSyscalls::bad_memory(uint64_t size) {
  if (bad_memory_ == nullptr) {
    void* memory = ::mmap(nullptr, scenario::kMaxCallBytes, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    bad_memory_ = static_cast<std::byte*>(memory);
  }
  return {bad_memory_, size};
}

LiveSyscalls::~LiveSyscalls() {
  if (bad_memory_ != nullptr) munmap(bad_memory_, scenario::kMaxCallBytes);
}

int64_t LiveSyscalls::dup(int fd) {
  return in_call(TaskState::in_call, [&] { return ::dup(fd); });
}

int64_t LiveSyscalls::fork(int child) {
  ChildSlot& slot = board_.children[static_cast<size_t>(child)];
  return in_call(TaskState::in_call, [&] {
    const pid_t pid = ::fork();
    if (pid == 0) live_as_child(board_, slot);
    if (pid > 0) slot.pid = pid;
    return pid < 0 ? -1 : 0;
  });
}

int64_t LiveSyscalls::end_child(int child) {
  ChildSlot& slot = board_.children[static_cast<size_t>(child)];
  if (slot.pid == 0 || slot.ended.exchange(1) != 0) return -ESRCH;
  board_.changed();
  wait(TaskState::waiting, [&] { return slot.gone.load() != 0; });
  return 0;
}

int64_t LiveSyscalls::send_fd(int fd, int process) {
  if (static_cast<size_t>(process) >= inboxes_.size()) return -EBADF;
  FdMessage message;
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
  const int socket = inboxes_[static_cast<size_t>(process)].send;
  return in_call(TaskState::in_call,
                 [&] { return ::sendmsg(socket, &message.header, MSG_NOSIGNAL) < 0 ? -1 : 0; });
}

int64_t LiveSyscalls::receive_fd() {
  if (process_ >= inboxes_.size()) return -EBADF;
  FdMessage message;
  const int64_t got = in_call(TaskState::in_call, [&] {
    ssize_t result = 0;
    do {
      result = ::recvmsg(inboxes_[process_].receive, &message.header, 0);
    } while (result < 0 && errno == EINTR);
    return result;
  });
  if (got < 0) return got;
  const cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  if (control == nullptr || control->cmsg_len < CMSG_LEN(sizeof(int))) return -EMFILE;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
  return fd;
}

int64_t LiveSyscalls::chdir(const char* path) {
  return in_call(TaskState::in_call, [&] { return ::chdir(path); });
}

int64_t LiveSyscalls::limit_files(uint64_t nofile) {
  return in_call(TaskState::in_call, [&] {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    limit.rlim_cur = nofile;
    return setrlimit(RLIMIT_NOFILE, &limit);
  });
}

int64_t LiveSyscalls::signal(int task) {
  const TaskSlot& target = board_.tasks[static_cast<size_t>(task)];
  const pid_t pid = board_.pids[scenario_.tasks[static_cast<size_t>(task)].process];
  if (pid == 0 || target.state == TaskState::ended) return -ESRCH;
  return in_call(TaskState::in_call,
                 [&] { return syscall(SYS_tgkill, pid, target.tid.load(), kSignal); });
}

int64_t LiveSyscalls::pread(int fd, std::span<std::byte> data, uint64_t offset) {
  return in_call(TaskState::in_call,
                 [&] { return ::pread(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
}

int64_t LiveSyscalls::fsync(int fd) {
  return in_call(TaskState::in_call, [&] { return ::fsync(fd); });
}

int64_t LiveSyscalls::ftruncate(int fd, int64_t length) {
  return in_call(TaskState::in_call, [&] { return ::ftruncate(fd, length); });
}

int64_t LiveSyscalls::fallocate(int fd, int64_t offset, int64_t length) {
  return in_call(TaskState::in_call, [&] { return ::fallocate(fd, 0, offset, length); });
}

int64_t LiveSyscalls::mmap(int fd, uint64_t length, uint32_t prot) {
  return in_call(TaskState::in_call, [&] {
    void* memory = ::mmap(nullptr, length, static_cast<int>(prot), MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return -1;
    return ::munmap(memory, length);
  });
}

int64_t LiveSyscalls::fcntl(int fd, scenario::FcntlCommand command, uint64_t argument) {
  return in_call(TaskState::in_call,
                 [&] { return ::fcntl(fd, fcntl_number(command), static_cast<int>(argument)); });
}

}  // namespace coldread::live
