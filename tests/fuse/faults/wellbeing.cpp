#include "tests/fuse/faults/wellbeing.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "sim/scheduler/fiber.h"

namespace coldread::faults {
namespace {

constexpr size_t kMoreDescriptors = 64;
constexpr size_t kMoreMemory = 96 * 1024;  // KiB: stacks and buffers of many calls at once
constexpr size_t kMostThreads = 600;

}  // namespace

std::string Wellbeing::fresh_object() {
  return volume("good/k" + std::to_string(fresh_++) + "-20000");
}

void Wellbeing::expect_good_service(int count) {
  for (int i = 0; i < count && !HasFailure(); i++) {
    start_reader(fresh_object());
    const std::string line = await({"reader "});
    EXPECT_NE(line.find(" ok "), std::string::npos) << line;
  }
  EXPECT_NE(requests().find("WAITS FOR"), std::string::npos);
  for (const char* name : {"caches", "cookies", "stats", "volumes"}) {
    std::ifstream file(at("mount/proc/fs/fscache/") + name);
    EXPECT_NE(file.get(), EOF) << name;
  }
}

void Wellbeing::during(int children, const std::function<void()>& deed) {
  std::vector<pid_t> busy;
  for (int i = 0; i < children; i++) {
    busy.push_back(in_child([&] {
      deed();
      tell("began");
      while (true) deed();
    }));
  }
  for (int i = 0; i < children; i++) await({"began"});
  expect_good_service(8);
  end_children();
}

int Wellbeing::remove_volume(const std::string& name) const {
  while (rmdir(volume(name).c_str()) < 0) {
    if (errno != ENOTEMPTY && errno != EBUSY) return errno;
    usleep(500);
  }
  return 0;
}

pid_t fork_mortal() {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  return 0;
}

void read_for_ever(const std::string& path) {
  while (true) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    char bytes[100];
    for (off_t offset = 0; pread(fd, bytes, sizeof(bytes), offset) > 0; offset += 5000) {
    }
    close(fd);
  }
}

void Wellbeing::expect_unharmed(const ProcessState& before) {
  ASSERT_TRUE(runs());
  expect_good_service(2);
  // A volume has 256 directories open, as long as there is one.
  std::vector<std::string> others;
  for (const auto& entry : std::filesystem::directory_iterator(at("mount/volumes")))
    if (entry.path().filename() != "good") others.push_back(entry.path().filename());
  for (const std::string& name : others) EXPECT_EQ(remove_volume(name), 0) << name;
  // Workers let go of what was relinquished.
  const size_t most = before.descriptors + kMoreDescriptors;
  for (int i = 0; i < 10'000 && state_of(server_).descriptors > most; i++) usleep(1000);
  const ProcessState after = state_of(server_);
  EXPECT_LE(after.descriptors, most);
  EXPECT_LE(after.threads, kMostThreads);
  if (!sim::kAddressSanitizer) {
    EXPECT_LE(after.memory, before.memory + kMoreMemory);
  }
  EXPECT_EQ(stop(), 0) << log();
  check_cache();
}

}  // namespace coldread::faults
