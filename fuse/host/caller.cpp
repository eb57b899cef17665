// Lines of /proc/PID/status.
#include "fuse/host/caller.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

namespace coldread::fuse {
namespace {

constexpr unsigned kCapSysAdmin = 21;

std::ifstream proc_file(uint32_t pid, const char* name) {
  return std::ifstream("/proc/" + std::to_string(pid) + "/" + name);
}

// The number behind `key`, ORed over all lines that begin with one of two keys.
uint64_t number_behind(std::ifstream& status, const std::string& key, const std::string& other,
                       int base) {
  uint64_t result = 0;
  for (std::string line; std::getline(status, line);) {
    for (const std::string& wanted : {key, other}) {
      if (line.rfind(wanted, 0) == 0)
        result |= std::strtoull(line.c_str() + wanted.size(), nullptr, base);
    }
  }
  return result;
}

}  // namespace

bool fatal_signal_pending(uint32_t pid) {
  if (pid == 0) return true;
  std::ifstream status = proc_file(pid, "status");
  if (!status) return true;
  // The kernel marks SIGKILL as pending for each thread of a process that any signal is to end.
  return (number_behind(status, "SigPnd:", "ShdPnd:", 16) >> (SIGKILL - 1) & 1) != 0;
}

bool has_sys_admin(uint32_t pid) {
  struct stat theirs {
  }, ours{};
  const std::string name = "/proc/" + std::to_string(pid) + "/ns/user";
  if (stat(name.c_str(), &theirs) < 0 || stat("/proc/self/ns/user", &ours) < 0) return false;
  if (theirs.st_ino != ours.st_ino) return false;  // it is nobody's administrator but its own
  std::ifstream status = proc_file(pid, "status");
  return (number_behind(status, "CapEff:", "CapEff:", 16) >> kCapSysAdmin & 1) != 0;
}

bool may_administrate(uint32_t pid) {
  std::ifstream status = proc_file(pid, "status");
  const auto own = static_cast<uint64_t>(getpid());
  return number_behind(status, "Tgid:", "Tgid:", 10) == own || has_sys_admin(pid);
}

std::string command_of(uint32_t pid) {
  std::ifstream file = proc_file(pid, "comm");
  std::string name;
  if (!std::getline(file, name)) return "?";
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

}  // namespace coldread::fuse
