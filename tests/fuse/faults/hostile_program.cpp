// Programs that do their worst to whoever looks at their system calls.
//
// usage: hostile_program DEED DIRECTORY
//
// DIRECTORY is the test's place: `mount`, `cache`, and `secret`, a file that only its owner may
// open. Does the deed, tells "again" on standard output, and again until it is killed, as it has to
// be with its process group. What must never come of a call is told as "wrong ...".
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr const char* kDevice = "/dev/cachefiles";
constexpr unsigned long kComplete = 0x40049801;
constexpr int kWatched = 992;  // where descriptors of the device begin
constexpr size_t kPage = 4096;
constexpr uid_t kNobody = 65'534;

std::string place;  // the test's directory
const bool is_root = geteuid() == 0;

void tell(const std::string& line) {
  const std::string text = line + "\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(9);
}

size_t below(size_t limit) {
  thread_local std::mt19937 random(static_cast<unsigned>(gettid()));
  return random() % limit;
}

// An open of the device while it is somebody else's: never a success.
void expect_refused(const char* what, long fd, std::initializer_list<int> never = {EIO}) {
  const int error = errno;
  if (fd >= 0) tell(std::string("wrong ") + what + ": opened");
  for (const int errno_value : never)
    if (fd < 0 && error == errno_value) tell(std::string("wrong ") + what + ": " + strerror(error));
}

char* page() {
  return static_cast<char*>(
      mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void repeat_in_thread(const std::function<void()>& act) {
  std::thread([act] {
    while (true) act();
  }).detach();
}

// The memory comes and goes.
void make_unsteady(char* memory) {
  repeat_in_thread([memory] {
    mprotect(memory, kPage, PROT_NONE);
    mprotect(memory, kPage, PROT_READ);
    munmap(memory, kPage);
    mmap(memory, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  });
}

long open_call(const char* path, int flags) {
  return syscall(SYS_openat, AT_FDCWD, path, flags);
}

// --- while the device is somebody else's --------------------------------------------------------

// Now it names the device, now a file for which this process has no right.
void paths() {
  static char* const path = page();
  static const bool first = [] {
    if (is_root && setresuid(kNobody, kNobody, kNobody) < 0) tell("wrong setresuid");
    const std::string secret = place + "/secret";
    repeat_in_thread([secret] {
      memcpy(path, kDevice, strlen(kDevice) + 1);
      memcpy(path, secret.c_str(), secret.size() + 1);
    });
    return true;
  }();
  (void)first;
  for (int i = 0; i < 300; i++) {
    const long fd = open_call(path, O_RDWR);
    // Busy is what the device says to those who may open it.
    if (is_root)
      expect_refused("path", fd, {EIO, EBUSY, EFAULT});
    else
      expect_refused("path", fd, {EIO, EFAULT});
  }
}

void flags() {
  static uint64_t how[3];
  static const bool first = [] {
    repeat_in_thread([] {
      for (const uint64_t value : {uint64_t{O_RDWR}, uint64_t{O_RDONLY}, ~uint64_t{0}})
        *const_cast<volatile uint64_t*>(how) = value;
    });
    return true;
  }();
  (void)first;
  for (int i = 0; i < 300; i++)
    expect_refused("openat2", syscall(SYS_openat2, AT_FDCWD, kDevice, how, sizeof(how)));
}

void unsteady_memory() {
  static char* const memory = page();
  static const bool first = [] {
    make_unsteady(memory);
    return true;
  }();
  (void)first;
  for (int i = 0; i < 300; i++) {
    expect_refused("path", open_call(memory + below(kPage), O_RDWR), {EIO, EBUSY});
    expect_refused("how", syscall(SYS_openat2, AT_FDCWD, kDevice, memory + kPage - 12, 24));
  }
}

// Its path has to be read from a file of the mount, for which a daemon is asked that never answers.
void path_that_waits() {
  const std::string file =
      place + "/mount/volumes/bad/mute-" + std::to_string(below(1000)) + "-8192";
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat attributes {};
  fstat(fd, &attributes);  // until then its size is 0
  auto* const path = static_cast<char*>(mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0));
  if (path == MAP_FAILED) tell("wrong map: " + std::string(strerror(errno)));
  for (int i = 0; i < 12; i++) {
    if (fork() != 0) continue;
    if (i % 2 == 0)
      open_call(path, O_RDWR);
    else
      umount2(path, 0);
    tell("wrong path: its daemon never answered");
    _exit(0);
  }
  tell("again");
  while (true) pause();
}

void opens() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([] {
      for (int j = 0; j < 500; j++) {
        expect_refused("device", open_call(kDevice, O_RDWR));
        close(open((place + "/secret").c_str(), O_RDWR | O_CLOEXEC));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void any_call(int fd) {
  char bytes[16];
  switch (below(7)) {
    case 0:
      expect_refused("device", open_call(kDevice, O_RDWR));
      break;
    case 1:
      ioctl(fd, kComplete, below(100));
      break;
    case 2:
      (void)!read(fd, bytes, sizeof(bytes));
      break;
    case 3:
      close(dup(fd));
      break;
    case 4:
      close(fcntl(fd, F_DUPFD_CLOEXEC, below(1100)));
      break;
    case 5:
      dup2(fd, kWatched + static_cast<int>(below(40)));
      break;
    default:
      dup3(fd, kWatched + static_cast<int>(below(40)), O_CLOEXEC);
  }
}

int any_descriptor() {
  return below(2) == 0 ? 3 + static_cast<int>(below(8)) : kWatched + static_cast<int>(below(40));
}

void descriptors() {
  static const bool first = [] {
    repeat_in_thread([] { close(any_descriptor()); });
    return true;
  }();
  (void)first;
  for (int i = 0; i < 8; i++) close(open((place + "/mount/requests").c_str(), O_RDONLY));
  for (int i = 0; i < 400; i++) any_call(any_descriptor());
}

void killed() {
  pid_t children[8];
  for (pid_t& child : children) {
    child = fork();
    while (child == 0) any_call(any_descriptor());
  }
  usleep(static_cast<useconds_t>(below(3000)));
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
}

void forks() {
  for (int i = 0; i < 20; i++) {
    for (int j = 0; j < 10; j++) {
      if (fork() != 0) continue;
      if (below(2) == 0) expect_refused("device", open_call(kDevice, O_RDWR));
      if (below(4) == 0) execl("/bin/true", "true", nullptr);
      _exit(0);
    }
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  }
}

// Whose administrator is nobody's outside.
void namespaces() {
  const pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC) < 0) _exit(0);
    const pid_t inner = fork();
    if (inner == 0) {
      for (const char* root : {"/", place.c_str()}) {
        if (chroot(root) < 0) continue;
        const long fd = open_call(kDevice, O_RDWR);
        if (is_root)
          expect_refused("container", fd, {EIO, EBUSY});
        else
          expect_refused("container", fd);
      }
      _exit(0);
    }
    waitpid(inner, nullptr, 0);
    _exit(0);
  }
  waitpid(child, nullptr, 0);
}

// A child's end, as a shell has it.
int status_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void own_filters() {
  const pid_t child = fork();
  if (child == 0) {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{std::size(rules), rules};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) >=
            0 ||
        errno != EBUSY)
      _exit(1);
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) _exit(2);
    _exit(open_call(kDevice, O_RDWR) < 0 && errno == EXDEV ? 0 : 3);
  }
  if (const int status = status_of(child); status != 0)
    tell("wrong filter " + std::to_string(status));
}

// Stops a child at each of its system calls, and leaves it there.
void traced() {
  const pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    while (true) any_call(any_descriptor());
  }
  int status = 0;
  for (size_t stops = below(20); stops > 0 && waitpid(child, &status, 0) == child; stops--)
    ptrace(PTRACE_SYSCALL, child, 0, 0);
  usleep(500);
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
  }
}

// --- with the device ----------------------------------------------------------------------------

// The server hears of the last close by whoever had the device before in its own time.
int open_device() {
  int fd = -1;
  for (int tries = 0; tries < 500; tries++) {
    fd = open(kDevice, O_RDWR);
    if (fd >= 0 || errno != EBUSY) break;
    usleep(10'000);
  }
  return fd;
}

int own_device() {
  static const int device = [] {
    const int fd = open_device();
    const std::string directory = "dir " + place + "/cache";
    if (fd < 0 || write(fd, directory.data(), directory.size()) < 0 ||
        write(fd, "bind ondemand", 13) < 0)
      tell("wrong bind: " + std::string(strerror(errno)));
    return fd;
  }();
  return device;
}

// Reads a message and answers at random, an OPEN with an error. `buffer` has room for one, if it is
// there at all.
void answer_somehow(int device, char* buffer) {
  pollfd wanted{device, POLLIN, 0};
  poll(&wanted, 1, 5);
  const ssize_t got = read(device, buffer, 1024);
  if (got < 0 && errno == EIO) tell("wrong read: EIO");
  const std::string answer = "copen " + std::to_string(below(50)) + ",-2";
  if (below(2) == 0) (void)!write(device, answer.data(), answer.size());
  ioctl(any_descriptor(), kComplete, below(50));
}

void unsteady_buffer() {
  const int device = own_device();
  static char* const memory = page();
  static const bool first = [] {
    make_unsteady(memory);
    return true;
  }();
  (void)first;
  for (int i = 0; i < 20; i++) answer_somehow(device, memory + below(2) * (kPage - 20));
}

void closed_meanwhile() {
  const int device = own_device();
  static const bool first = [device] {
    repeat_in_thread([device] {
      const int copy = dup(device);
      close(any_descriptor());
      usleep(200);
      dup2(copy, device);
      close(copy);
    });
    return true;
  }();
  (void)first;
  char buffer[1024];
  for (int i = 0; i < 20; i++) answer_somehow(device, buffer);
}

void killed_readers() {
  const int device = own_device();
  pid_t children[6];
  for (pid_t& child : children) {
    child = fork();
    char buffer[1024];
    while (child == 0) answer_somehow(device, buffer);
  }
  usleep(static_cast<useconds_t>(2000 + below(8000)));
  for (const pid_t child : children) kill(child, SIGKILL);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
}

constexpr struct {
  const char* name;
  void (*act)();
} kDeeds[] = {
    {"paths", paths},
    {"flags", flags},
    {"unsteady_memory", unsteady_memory},
    {"path_that_waits", path_that_waits},
    {"opens", opens},
    {"descriptors", descriptors},
    {"killed", killed},
    {"forks", forks},
    {"namespaces", namespaces},
    {"own_filters", own_filters},
    {"traced", traced},
    {"unsteady_buffer", unsteady_buffer},
    {"closed_meanwhile", closed_meanwhile},
    {"killed_readers", killed_readers},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  place = argv[2];
  for (const auto& deed : kDeeds) {
    if (deed.name != std::string(argv[1])) continue;
    while (true) {
      deed.act();
      tell("again");
    }
  }
  return 2;
}
