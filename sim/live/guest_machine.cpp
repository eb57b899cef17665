#include "sim/live/guest_machine.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sstream>

#include "sim/live/failslab.h"
#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

constexpr const char* kMemoryDirectory = "/dev/shm";
constexpr const char* kDiskUuid = "c01d4ead-0000-4000-8000-000000000000";
constexpr const char* kDiskOptions =
    "lazy_itable_init=1,lazy_journal_init=1,nodiscard,"  // nothing is written that need not be
    "hash_seed=c01d4ead-0000-4000-8000-000000000001";    // orders directories
// To the first program's environment. User-Mode Linux does not save the widest registers when it
// switches between programs, and the C library's string functions use them where there are any.
constexpr const char* kNarrowRegisters =
    "GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ,-AVX512CD";
constexpr int kKeeperSocket = 3;
constexpr int kKeeperPollMs = 10;

Error failed(const std::string& what) {
  return Error{fmt::format("{}: {}", what, std::strerror(errno))};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// User-Mode Linux keeps its memory in a file that it maps executable.
bool memory_fits(const char* directory, unsigned memory_mb) {
  struct statvfs status;
  if (access(directory, W_OK) < 0 || statvfs(directory, &status) < 0) return false;
  const uint64_t free_mb = status.f_bavail * status.f_frsize >> 20;
  return (status.f_flag & ST_NOEXEC) == 0 && free_mb > memory_mb + 64;
}

std::vector<std::string> machine_environment(const std::string& directory, unsigned memory_mb) {
  std::vector<std::string> result;
  for (char** variable = environ; *variable; ++variable) {
    if (std::strncmp(*variable, "TMPDIR=", 7) != 0) result.emplace_back(*variable);
  }
  result.push_back("TMPDIR=" +
                   (memory_fits(kMemoryDirectory, memory_mb) ? kMemoryDirectory : directory));
  return result;
}

// What the keeper needs, all made before the fork: it may not allocate, other threads may hold
// locks.
struct KeeperPlan {
  const char* directory;
  const char* log;
  char* const* arguments;
  char* const* environment;
};

[[noreturn]] void exec_machine(const KeeperPlan& plan, pid_t keeper) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != keeper) _exit(127);
  setpgid(0, 0);
  close(kKeeperSocket);
  execve(plan.arguments[0], plan.arguments, plan.environment);
  const char message[] = "cannot be executed\n";
  (void)!write(STDOUT_FILENO, message, sizeof message - 1);
  _exit(127);
}

[[noreturn]] void remove_directory(const KeeperPlan& plan) {
  execl("/bin/rm", "rm", "-rf", "--", plan.directory, nullptr);
  _exit(1);
}

// Waits for something on the socket; false once the other end is closed.
bool hear(int timeout_ms) {
  pollfd watched{kKeeperSocket, POLLIN, 0};
  if (poll(&watched, 1, timeout_ms) <= 0) return true;
  char byte;
  return read(kKeeperSocket, &byte, 1) > 0;
}

[[noreturn]] void keep(const KeeperPlan& plan, int socket) {
  setsid();  // the terminal's signals are for the command, not for us
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  dup2(socket, kKeeperSocket);
  const int null = open("/dev/null", O_RDONLY);
  const int log = open(plan.log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  close_range(kKeeperSocket + 1, ~0u, 0);
  if (chdir(plan.directory) < 0 || !hear(-1)) remove_directory(plan);

  const pid_t keeper = getpid();
  const pid_t machine = fork();
  if (machine == 0) exec_machine(plan, keeper);
  setpgid(machine, machine);
  bool told = false;
  while (hear(told ? -1 : kKeeperPollMs)) {
    int status = 0;
    if (told || waitpid(machine, &status, WNOHANG) == 0) continue;
    (void)!write(kKeeperSocket, "e", 1);
    told = true;
  }
  kill(-machine, SIGKILL);
  if (!told) waitpid(machine, nullptr, 0);
  remove_directory(plan);
}

std::string mkfs_path() {
  for (const char* path : {"/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/usr/bin/mkfs.ext4"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

// The same disk from the same size, always.
Status make_file_system(const std::string& mkfs, const std::string& path, const DiskSpec& disk) {
  std::vector<std::string> arguments = {mkfs, "-q", "-F", "-b", std::to_string(disk.block)};
  if (disk.inodes != 0)
    for (const std::string& argument : {std::string("-N"), std::to_string(disk.inodes)})
      arguments.push_back(argument);
  for (const char* argument : {"-U", kDiskUuid, "-E", kDiskOptions})
    arguments.emplace_back(argument);
  arguments.push_back(path);
  const std::vector<char*> argv = pointers(arguments);
  pid_t pid = 0;
  if (const int error = posix_spawn(&pid, mkfs.c_str(), nullptr, nullptr, argv.data(), environ)) {
    return Error{fmt::format("{}: {}", mkfs, std::strerror(error))};
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return Error{fmt::format("{} {}: wait status {:#x}", mkfs, path, status)};
  return Nothing{};
}

}  // namespace

std::string last_lines(const std::string& log, size_t lines) {
  std::deque<std::string> kept;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    line.erase(std::remove(line.begin(), line.end(), '\r'), line.end());
    if (line.empty()) continue;
    kept.push_back(line);
    if (kept.size() > lines) kept.pop_front();
  }
  std::string text;
  for (const std::string& line : kept) text += (text.empty() ? "" : "\n") + line;
  return text;
}

Result<std::vector<std::string>> machine_arguments(const MachineSpec& spec,
                                                   const std::string& directory) {
  // Relative where it can be, as the machine runs in its directory: in these, ',', ':' and blanks
  // would mean something, and quotes nothing.
  std::vector<std::string> arguments = {spec.image.linux_path,
                                        fmt::format("mem={}M", spec.memory_mb),
                                        "ubd0=disk",
                                        "root=/dev/root",
                                        "rootfstype=hostfs",
                                        "rootflags=/",
                                        "ro",
                                        "console=tty0",
                                        "con=null",
                                        "con0=fd:0,fd:1",
                                        "quiet",
                                        "uml_dir=uml",
                                        kNodesMayFail,
                                        kNarrowRegisters};
  std::vector<std::string> quoted = {"init=" + spec.init, "--"};
  for (std::string argument : spec.init_arguments) {
    const size_t at = argument.find("{DIR}");
    if (at != std::string::npos) argument.replace(at, 5, directory);
    quoted.push_back(argument);
  }
  for (const std::string& argument : quoted) {
    if (argument.find_first_of("\"\n") != std::string::npos) {
      return Error{fmt::format("a guest cannot be told of the path {}", argument)};
    }
    const bool blank = argument.find(' ') != std::string::npos;
    const size_t equals = argument.find('=');
    if (!blank)
      arguments.push_back(argument);
    else if (equals == std::string::npos)
      arguments.push_back("\"" + argument + "\"");
    else
      arguments.push_back(argument.substr(0, equals + 1) + "\"" + argument.substr(equals + 1) +
                          "\"");
  }
  return arguments;
}

Result<std::unique_ptr<GuestMachine>> GuestMachine::create(MachineSpec spec) {
  std::unique_ptr<GuestMachine> machine(new GuestMachine);
  machine->spec_ = std::move(spec);
  const char* parent = std::getenv("TMPDIR");
  std::string directory =
      std::string(parent && *parent == '/' ? parent : "/tmp") + "/coldread-guest.XXXXXX";
  if (!mkdtemp(directory.data())) return failed(directory);
  machine->directory_ = directory;
  if (Status started = machine->start_keeper(); !started) {
    rmdir(directory.c_str());
    return Error{started.error()};
  }
  for (const char* name : {"/out", "/cache", "/work"}) {
    if (mkdir((directory + name).c_str(), 0755) < 0) return failed(directory + name);
  }
  return machine;
}

Status GuestMachine::start_keeper() {
  Result<std::vector<std::string>> arguments = machine_arguments(spec_, directory_);
  if (!arguments) return Error{arguments.error()};
  std::vector<std::string> environment = machine_environment(directory_, spec_.memory_mb);
  const std::vector<char*> argv = pointers(*arguments);
  const std::vector<char*> envp = pointers(environment);
  const std::string log = directory_ + "/log";
  const KeeperPlan plan = {directory_.c_str(), log.c_str(), argv.data(), envp.data()};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return failed("socketpair");
  keeper_ = fork();
  if (keeper_ == 0) {
    close(ends[0]);
    keep(plan, ends[1]);
  }
  close(ends[1]);
  socket_ = ends[0];
  if (keeper_ < 0) return failed("fork");
  return Nothing{};
}

GuestMachine::~GuestMachine() {
  if (socket_ >= 0) close(socket_);
  if (keeper_ <= 0) return;
  while (waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Status GuestMachine::make_disk() const {
  const std::string mkfs = mkfs_path();
  if (mkfs.empty()) return Error{"mkfs.ext4 is not there (package e2fsprogs)"};
  const std::string path = directory_ + "/disk";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const uint64_t bytes = std::max(spec_.disk.bytes, kMinDiskBytes);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(bytes)) < 0) return failed(path);
  close(fd);
  return make_file_system(mkfs, path, spec_.disk);
}

Status GuestMachine::boot() {
  if (Status made = make_disk(); !made) return made;
  if (send(socket_, "b", 1, MSG_NOSIGNAL) != 1) return failed("the guest's keeper is gone");
  return Nothing{};
}

bool GuestMachine::wait_end(int timeout_ms) {
  if (ended_) return true;
  pollfd watched{socket_, POLLIN, 0};
  ended_ = ::poll(&watched, 1, timeout_ms) > 0;
  return ended_;
}

std::string GuestMachine::log() const {
  return read_file(directory_ + "/log");
}

}  // namespace coldread::live
