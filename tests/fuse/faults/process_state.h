// What a process has of the machine, as /proc tells.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace coldread::faults {

struct ProcessState {
  size_t descriptors = 0;
  size_t threads = 0;
  size_t memory = 0;  // KiB that are resident
};

inline ProcessState state_of(pid_t process) {
  const std::string proc = "/proc/" + std::to_string(process);
  const auto entries = [&](const char* name) {
    const std::filesystem::directory_iterator all(proc + name);
    return static_cast<size_t>(std::distance(begin(all), end(all)));
  };
  ProcessState state{entries("/fd"), entries("/task"), 0};
  std::ifstream status(proc + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) state.memory = std::stoul(line.substr(6));
  return state;
}

}  // namespace coldread::faults
