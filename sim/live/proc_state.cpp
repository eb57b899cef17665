#include "sim/live/proc_state.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
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

std::string task_directory(pid_t pid) {
  return "/proc/" + std::to_string(pid) + "/task/";
}

std::vector<pid_t> threads_of(pid_t pid) {
  std::vector<pid_t> threads;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(task_directory(pid), error))
    threads.push_back(std::stoi(entry.path().filename()));
  return threads;
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
  std::string skipped;
  for (int field = 5; field < 20; ++field) rest >> skipped;
  rest >> result.threads;
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

int64_t write_file(const std::string& path, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int64_t result = write(fd, text.data(), text.size()) < 0 ? -errno : 0;
  close(fd);
  return result;
}

char thread_state(pid_t pid, pid_t tid) {
  const std::string text = read_file(task_directory(pid) + std::to_string(tid) + "/stat");
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
  return parse_stack(read_file(task_directory(pid) + std::to_string(tid) + "/stack"));
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

ThreadStates::~ThreadStates() {
  for (const auto& [path, fd] : files_) close(fd);
}

// One that has gone answers ESRCH; its number may be somebody else's by then, so it is opened anew.
std::optional<StatLine> ThreadStates::look(const std::string& path) {
  for (int tries = 0; tries < 2; ++tries) {
    const auto found = files_.find(path);
    const int fd = found != files_.end() ? found->second : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return {};
    if (found == files_.end()) files_[path] = fd;
    char line[1024];
    const ssize_t length = pread(fd, line, sizeof line, 0);
    if (length > 0) return parse_stat_line({line, static_cast<size_t>(length)});
    close(fd);
    files_.erase(path);
  }
  return {};
}

char ThreadStates::of(pid_t pid, pid_t tid) {
  const auto stat = look(task_directory(pid) + std::to_string(tid) + "/stat");
  return stat ? stat->state : 'X';
}

bool ThreadStates::all_sleep(pid_t pid) {
  const auto process = look("/proc/" + std::to_string(pid) + "/stat");
  if (!process) return true;
  std::vector<pid_t>& threads = threads_[pid];
  if (static_cast<size_t>(process->threads) != threads.size()) threads = threads_of(pid);
  for (const pid_t thread : threads) {
    const char state = of(pid, thread);
    if (state == 'X') threads.clear();  // and another in its place, perhaps
    if (state != 'S') return false;
  }
  return true;
}

std::vector<std::string> threads_at_work(pid_t pid) {
  std::vector<std::string> lines;
  for (const pid_t thread : threads_of(pid)) {
    const auto stat =
        parse_stat_line(read_file(task_directory(pid) + std::to_string(thread) + "/stat"));
    if (!stat || stat->state == 'S') continue;
    lines.push_back("thread " + stat->name + ", state " + stat->state + ": " +
                    kernel_stack(pid, thread));
  }
  return lines;
}

}  // namespace coldread::live
