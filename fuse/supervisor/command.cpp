#include "fuse/supervisor/command.h"

#include <fmt/core.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

namespace coldread::fuse {
namespace {

// What the child tells before it executes the program, the listener beside it; after a success
// there is nothing more, the socket is closed by the exec.
struct Report {
  enum Stage : int { listening, no_filter, no_program } stage = listening;
  int error = 0;
};

sigset_t kept_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1})
    sigaddset(&set, number);
  return set;
}

void send_report(int socket, Report report, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&report, sizeof(report)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  }
  sendmsg(socket, &message, MSG_NOSIGNAL);
}

std::optional<Report> receive_report(int socket, int* fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  Report report;
  iovec data{&report, sizeof(report)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t received = 0;
  do {
    received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received != sizeof(report)) return {};
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    std::memcpy(fd, CMSG_DATA(header), sizeof(*fd));
  }
  return report;
}

int install_filter(const sock_fprog& program) {
  for (const unsigned long flags :
       {SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
        SECCOMP_FILTER_FLAG_NEW_LISTENER}) {
    const auto listener =
        static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
    // Linux before 5.19 knows no WAIT_KILLABLE: signals make its callers ask twice.
    if (listener >= 0 || errno != EINVAL) return listener;
  }
  return -1;
}

// What others mount outside still arrives, nothing leaves.
void make_mounts_private(const char* kmsg) {
  if (unshare(CLONE_NEWNS) < 0) return;
  mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr);
  if (kmsg != nullptr) mount(kmsg, "/dev/kmsg", nullptr, MS_BIND, nullptr);
}

// Only what may be called between fork and exec of a process with threads.
[[noreturn]] void become(char* const* words, const sock_fprog& program, int socket,
                         const sigset_t& mask, pid_t parent, bool private_mounts,
                         const char* kmsg) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  if (private_mounts) make_mounts_private(kmsg);
  int listener = install_filter(program);
  if (listener < 0 && errno == EACCES) {
    // Not for somebody with rights: set-user-ID programs would do without theirs.
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    listener = install_filter(program);
  }
  if (listener < 0) {
    send_report(socket, {Report::no_filter, errno}, -1);
    _exit(1);
  }
  send_report(socket, {Report::listening, 0}, listener);
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(words[0], words);
  const int error = errno;
  send_report(socket, {Report::no_program, error}, -1);
  _exit(error == ENOENT ? 127 : 126);
}

Error no_filter(int error) {
  if (error == EBUSY) {
    return {
        "a seccomp listener looks at this process already (a container's, or another coldread "
        "exec): there can be only one"};
  }
  return {fmt::format("no seccomp filter with a listener: {}", std::strerror(error))};
}

// The processes whose parent is this one, zombies too.
std::vector<pid_t> children() {
  std::ifstream list(fmt::format("/proc/self/task/{}/children", gettid()));
  std::vector<pid_t> found;
  for (pid_t pid = 0; list >> pid;) found.push_back(pid);
  return found;
}

}  // namespace

KeptSignals::KeptSignals() {
  const sigset_t kept = kept_signals();
  pthread_sigmask(SIG_BLOCK, &kept, &before_);
  fd_ = signalfd(-1, &kept, SFD_CLOEXEC | SFD_NONBLOCK);
}

KeptSignals::~KeptSignals() {
  close(fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Result<Command> Command::start(const std::vector<std::string>& words,
                               const std::vector<sock_filter>& filter, const KeptSignals& signals,
                               const View& view) {
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const sock_fprog program{static_cast<unsigned short>(filter.size()),
                           const_cast<sock_filter*>(filter.data())};
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0) {
    return Error{fmt::format("socketpair: {}", std::strerror(errno))};
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    become(arguments.data(), program, sockets[1], signals.before(), parent, view.private_mounts,
           view.kmsg.empty() ? nullptr : view.kmsg.c_str());
  }
  const int fork_error = errno;
  close(sockets[1]);
  Command command;
  command.pid_ = pid;
  std::optional<Report> report;
  if (pid > 0) report = receive_report(sockets[0], &command.listener_);
  std::optional<Report> failed;
  if (report && report->stage == Report::listening) {
    int none = -1;
    failed = receive_report(sockets[0], &none);
  }
  close(sockets[0]);
  if (pid < 0) return Error{fmt::format("fork: {}", std::strerror(fork_error))};
  if (failed) command.exec_error_ = failed->error;
  if (command.listener_ >= 0) return command;
  waitpid(pid, nullptr, 0);
  return report ? no_filter(report->error) : Error{"the command ended before it began"};
}

int Command::wait(const KeptSignals& signals, const std::function<void()>& on_usr1) const {
  int result = 0;
  bool running = true;
  while (true) {
    int status = 0;
    pid_t ended = 0;
    // Its own children, not what other threads of this process trace.
    while ((ended = waitpid(-1, &status, WNOHANG | __WNOTHREAD)) > 0) {
      if (ended != pid_) continue;
      running = false;
      result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (ended < 0 && errno == ECHILD) return result;
    pollfd waited{signals.fd(), POLLIN, 0};
    poll(&waited, 1, -1);
    signalfd_siginfo signal{};
    while (read(signals.fd(), &signal, sizeof(signal)) == sizeof(signal)) {
      const auto number = static_cast<int>(signal.ssi_signo);
      if (number == SIGUSR1 && on_usr1) on_usr1();
      if (number == SIGUSR1 || number == SIGCHLD || signal.ssi_code == SI_KERNEL) continue;
      for (const pid_t pid : running ? std::vector<pid_t>{pid_} : children()) kill(pid, number);
    }
  }
}

}  // namespace coldread::fuse
