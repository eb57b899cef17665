#include "fuse/supervisor/probe.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "fuse/host/process_memory.h"
#include "fuse/supervisor/watched_range.h"

namespace coldread::fuse {
namespace {

// The exit status of a child that does `attempt`, which returns an errno; -1: no child.
int in_child(int (*attempt)()) {
  const pid_t child = fork();
  if (child == 0) _exit(attempt());
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

int try_mount() {
  // Seen by nobody, and gone with this process.
  if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
    return errno;
  }
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) return errno;
  const std::string options =
      fmt::format("fd={},rootmode=40000,user_id={},group_id={}", fuse, geteuid(), getegid());
  return mount("coldread", "/dev", "fuse", MS_NOSUID | MS_NODEV, options.c_str()) < 0 ? errno : 0;
}

int try_listener(unsigned long flags) {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0 ? errno : 0;
}

int try_plain_listener() {
  return try_listener(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

int try_killable_listener() {
  return try_listener(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

// A child that waits to be killed, while `attempt` does something to it: 0 or an errno.
template <typename Attempt>
int on_child(Attempt attempt) {
  const pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) pause();
  }
  const int error = attempt(child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, __WALL);
  return error;
}

bool is_executable(const char* name) {
  for (const char* directory : {"/usr/bin/", "/bin/", "/usr/local/bin/"}) {
    if (access((std::string(directory) + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace

Probe probe_mounting() {
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    return {false, fmt::format("/dev/fuse: {}", std::strerror(errno))};
  }
  const int error = in_child(try_mount);
  if (error == 0) return {true, "can be mounted, by mount(2)"};
  if (is_executable("fusermount3")) return {true, "can be mounted, by fusermount3"};
  return {false, fmt::format("mount(2): {}; fusermount3 (package fuse3) is missing",
                             std::strerror(error))};
}

Probe probe_listener() {
  const int error = in_child(try_killable_listener);
  if (error == 0) return {true, "works; signals that are handled do not disturb held calls"};
  if (error == EINVAL && in_child(try_plain_listener) == 0) {
    return {true, "works, but before Linux 5.19: handled signals make programs ask twice"};
  }
  if (error == EBUSY) return {false, "something looks at this process already (a container?)"};
  return {false, fmt::format("seccomp: {}", std::strerror(error))};
}

Probe probe_memory() {
  static char place = 0;
  const int error = on_child([](pid_t child) {
    const auto address = static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&place));
    const std::byte value{1};
    return write_memory(child, address, std::span(&value, 1)) == 0 ? 0 : errno;
  });
  if (error == 0) return {true, "process_vm_writev works"};
  return {false, fmt::format("process_vm_writev: {}", std::strerror(error))};
}

Probe probe_redirection() {
#if defined(__x86_64__)
  const int error =
      on_child([](pid_t child) { return ptrace(PTRACE_SEIZE, child, 0, 0) < 0 ? errno : 0; });
  if (error == 0) return {true, "works: the device may be used at low descriptor numbers"};
  return {false,
          fmt::format("ptrace: {}: at low descriptor numbers OPEN fails", std::strerror(error))};
#else
  return {false, "not for this machine: at low descriptor numbers OPEN fails"};
#endif
}

Probe probe_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const WatchedRange range = watched_range(limit.rlim_cur);
  if (static_cast<rlim_t>(range.first) < limit.rlim_cur) {
    return {true,
            fmt::format("the device is opened as {} to {}", range.first, range.stand_in() - 1)};
  }
  return {false,
          fmt::format("RLIMIT_NOFILE is {}: the device is opened at low numbers", limit.rlim_cur)};
}

}  // namespace coldread::fuse
