// Fork, redirect into files (no pipe can fill up), exec, wait.
#include "tests/sim/cli/command.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace coldread::cli {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A line of /proc/PID/status, behind its name.
std::string status_of(pid_t process, const std::string& name) {
  std::istringstream lines(contents("/proc/" + std::to_string(process) + "/status"));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  return {};
}

bool catches_interrupt(pid_t process) {
  const std::string caught = status_of(process, "SigCgt");
  return !caught.empty() && (std::stoull(caught, nullptr, 16) & 1u << (SIGINT - 1)) != 0;
}

bool is_zombie(pid_t process) {
  return status_of(process, "State").starts_with("Z");
}

void redirect(int fd, const std::filesystem::path& path, int flags) {
  const int file = open(path.c_str(), flags, 0600);
  if (file < 0 || dup2(file, fd) < 0) _exit(126);
}

}  // namespace

std::string scenario_of(const std::string& steps) {
  return R"({"version": 1, "title": "test", "kernels": ["6.1.192", "6.12.117"],
             "tasks": {"a": [)" +
         steps + "]}}";
}

std::string passing_scenario() {
  return scenario_of(R"({"do": "bind"}, {"do": "close"})");
}

std::string failing_scenario() {
  return scenario_of(R"({"do": "open", "expect": "ENOENT"})");
}

std::string hanging_scenario() {
  return scenario_of(R"({"do": "bind"}, {"do": "poll"})");
}

CommandTest::CommandTest() {
  std::string name = std::filesystem::temp_directory_path() / "coldread-test-XXXXXX";
  directory_ = mkdtemp(name.data());
  std::filesystem::create_directory(directory_ / "w");
}

CommandTest::~CommandTest() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void CommandTest::write(const std::string& name, const std::string& text) {
  const std::filesystem::path path = directory_ / "w" / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string CommandTest::read(const std::string& name) const {
  return contents(directory_ / "w" / name);
}

bool CommandTest::exists(const std::string& name) const {
  return std::filesystem::exists(directory_ / "w" / name);
}

std::vector<std::string> CommandTest::all_files() const {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "w")) {
    if (!entry.is_directory()) {
      files.push_back(std::filesystem::relative(entry.path(), directory_ / "w").string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

CommandResult CommandTest::run(const std::vector<std::string>& arguments) const {
  std::vector<std::string> words = {getenv("COLDREAD")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run_program(words);
}

CommandResult CommandTest::interrupt(const std::vector<std::string>& arguments,
                                     bool printed) const {
  std::vector<std::string> words = {getenv("COLDREAD")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::filesystem::remove(directory_ / "out");
  const pid_t child = start(words);
  const auto ready = [&] {
    return catches_interrupt(child) && (!printed || !contents(directory_ / "out").empty());
  };
  while (!ready() && kill(child, 0) == 0 && !is_zombie(child))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGINT);
  return finish(child);
}

CommandResult CommandTest::run_program(const std::vector<std::string>& words) const {
  return finish(start(words));
}

pid_t CommandTest::start(const std::vector<std::string>& words) const {
  const pid_t child = fork();
  if (child == 0) {
    redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, directory_ / "out", O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, directory_ / "err", O_WRONLY | O_CREAT | O_TRUNC);
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    if (chdir((directory_ / "w").c_str()) == 0) execvp(argv[0], argv.data());
    _exit(127);
  }
  return child;
}

CommandResult CommandTest::finish(pid_t child) const {
  int status = 0;
  waitpid(child, &status, 0);
  CommandResult result;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  result.out = contents(directory_ / "out");
  result.err = contents(directory_ / "err");
  return result;
}

}  // namespace coldread::cli
