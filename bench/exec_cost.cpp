// What `coldread exec` costs programs: system calls natively and under the supervisor, side by
// side.
//
// usage: exec_cost COLDREAD [ROUNDS]
//
// Runs itself as a plain process and below `coldread exec`, in turns, ROUNDS (9) times each, once
// with everything on one core and once free, and prints medians: nanoseconds for each call, and the
// ratio of both. Calls on the device exist below the supervisor only.
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Call {
  const char* name;
  int repeat;  // so often at a time
  std::function<void()> once;
};

void expect(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

void open_and_close(int flags) {
  const int fd = open("/dev/null", flags | O_CLOEXEC);
  expect(fd >= 0, "/dev/null");
  close(fd);
}

std::vector<Call> calls(bool supervised) {
  static char byte;
  static const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::vector<Call> all = {
      {"getppid: no rule", 100'000, [] { syscall(SYS_getppid); }},
      {"read: filtered, not looked at", 100'000, [] { expect(read(null, &byte, 1) == 0, "read"); }},
      {"ioctl: filtered, not looked at", 100'000, [] { ioctl(null, 1, 0); }},
      {"open for reading + close", 20'000, [] { open_and_close(O_RDONLY); }},
      {"open for both + close: looked at", 2'000, [] { open_and_close(O_RDWR); }},
      {"openat2 + close: looked at", 2'000,
       [] {
         open_how how{};
         how.flags = O_RDONLY | O_CLOEXEC;
         const auto fd =
             static_cast<int>(syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof(how)));
         expect(fd >= 0, "openat2");
         close(fd);
       }},
  };
  if (!supervised) return all;
  static const int device = open("/dev/cachefiles", O_RDWR | O_CLOEXEC);
  expect(device >= 0, "/dev/cachefiles");
  all.push_back(
      {"device: read, nothing there", 2'000, [] { expect(read(device, &byte, 1) == 0, "read"); }});
  all.push_back({"device: poll, native", 2'000, [] {
                   pollfd waited{device, POLLIN, 0};
                   poll(&waited, 1, 0);
                 }});
  all.push_back({"device: dup + close", 2'000, [] { close(dup(device)); }});
  return all;
}

// Prints nanoseconds, tab, name.
int measure(bool supervised) {
  for (const Call& call : calls(supervised)) {
    for (int i = 0; i < call.repeat / 10; ++i) call.once();
    const auto start = Clock::now();
    for (int i = 0; i < call.repeat; ++i) call.once();
    const std::chrono::duration<double, std::nano> time = Clock::now() - start;
    fmt::print("{}\t{}\n", time.count() / call.repeat, call.name);
  }
  return 0;
}

using Times = std::map<std::string, std::vector<double>>;

void run(const std::string& command, Times* times) {
  FILE* const output = popen(command.c_str(), "re");
  expect(output != nullptr, "popen");
  char line[256];
  while (std::fgets(line, sizeof(line), output) != nullptr) {
    char* name = nullptr;
    const double time = std::strtod(line, &name);
    if (*name == '\t')
      (*times)[std::string(name + 1, std::strcspn(name + 1, "\n"))].push_back(time);
  }
  expect(pclose(output) == 0, command.c_str());
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const std::string& self, const std::string& coldread, int rounds, const char* title) {
  Times native, supervised;
  for (int i = 0; i < rounds; ++i) {
    run(self + " --native", &native);
    run(coldread + " exec -- " + self + " --supervised", &supervised);
  }
  fmt::print("\n{:<36}{:>12}{:>12}{:>9}\n", title, "native, ns", "exec, ns", "ratio");
  for (const Call& call : calls(false)) {
    const double plain = median(native[call.name]), traced = median(supervised[call.name]);
    fmt::print("{:<36}{:>12.0f}{:>12.0f}{:>9.2f}\n", call.name, plain, traced, traced / plain);
  }
  for (const auto& [name, times] : supervised) {
    if (native.count(name) != 0) continue;
    fmt::print("{:<36}{:>12}{:>12.0f}\n", name, "", median(times));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--native") return measure(false);
  if (first == "--supervised") return measure(true);
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: exec_cost COLDREAD [ROUNDS]\n");
    return 2;
  }
  const int rounds = argc == 3 ? std::max(1, std::atoi(argv[2])) : 9;
  compare(argv[0], first, rounds, "free");
  cpu_set_t core;
  CPU_ZERO(&core);
  CPU_SET(0, &core);
  sched_setaffinity(0, sizeof(core), &core);
  compare(argv[0], first, rounds, "all on one core");
  return 0;
}
