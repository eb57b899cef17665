#include "sim/live/proc_state.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace coldread::live {
namespace {

constexpr pid_t kKthreadd = 2;

constexpr std::string_view kSyscallEntry = "handle_syscall";
constexpr std::string_view kThreadEntry = "worker_thread";

bool is_scheduler(std::string_view function) {
  return function == "__switch_to" || function == "__schedule" || function == "schedule";
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool disks_rest() {
  std::error_code error;
  for (const auto& disk : std::filesystem::directory_iterator("/sys/block", error)) {
    const auto busy = parse_inflight(read_file(disk.path() / "inflight"));
    if (busy && *busy > 0) return false;
  }
  return true;
}

// Calls visit(pid, stat) for every kernel thread until it returns false; true if it never did.
template <typename Visit>
bool for_each_kernel_thread(Visit visit) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (!is_number(name)) continue;
    const auto stat = parse_stat_line(read_file(entry.path() / "stat"));
    if (stat && stat->parent == kKthreadd && !visit(std::stoi(name), *stat)) return false;
  }
  return true;
}

}  // namespace

std::optional<StatLine> parse_stat_line(std::string_view line) {
  const size_t open = line.find('(');
  const size_t close = line.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  StatLine result;
  result.name = line.substr(open + 1, close - open - 1);
  std::istringstream rest{std::string(line.substr(close + 1))};
  if (!(rest >> result.state >> result.parent)) return {};
  return result;
}

std::optional<unsigned> parse_inflight(std::string_view text) {
  std::istringstream in{std::string(text)};
  unsigned reads = 0;
  unsigned writes = 0;
  if (!(in >> reads >> writes)) return {};
  return reads + writes;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

char thread_state(pid_t pid, pid_t tid) {
  const std::string text =
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat");
  const auto stat = parse_stat_line(text);
  return stat ? stat->state : 'X';
}

std::string parse_stack(std::string_view text) {
  std::string stack;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    const size_t blank = line.find("] ");
    if (blank == std::string::npos) continue;
    const std::string name = line.substr(blank + 2, line.find('+') - blank - 2);
    if (stack.empty() && is_scheduler(name)) continue;
    if (name == kSyscallEntry || name == kThreadEntry) break;
    stack += (stack.empty() ? "" : " < ") + name;
  }
  return stack;
}

std::string kernel_stack(pid_t pid, pid_t tid) {
  return parse_stack(
      read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stack"));
}

bool kernel_threads_wait() {
  return for_each_kernel_thread([](pid_t, const StatLine& stat) { return stat.state != 'R'; }) &&
         disks_rest();
}

std::vector<std::string> waiting_kernel_threads() {
  std::vector<std::string> lines;
  for_each_kernel_thread([&](pid_t pid, const StatLine& stat) {
    if (stat.state != 'D') return true;
    lines.push_back("kernel thread " + stat.name + ": " + kernel_stack(pid, pid));
    return true;
  });
  return lines;
}

bool all_threads_sleep(pid_t pid) {
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks, error)) {
    const auto stat = parse_stat_line(read_file(entry.path() / "stat"));
    if (stat && stat->state != 'S') return false;
  }
  return true;
}

}  // namespace coldread::live
