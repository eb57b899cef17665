#include "sim/live/kernel_image.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>
#include <vector>

#include "sim/live/kernel_tools.h"
#include "sim/scheduler/fiber.h"

namespace coldread::live {
namespace {

constexpr int kCannotBeHad = 77;

// Where the user says; else in the sources this was built from; else what was installed with it.
std::string build_script() {
  if (const char* directory = std::getenv("COLDREAD_KERNEL_TOOLS")) {
    return std::string(directory) + "/build";
  }
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path sources = fs::path(kKernelTools) / "build";
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = program.parent_path().parent_path() / "share/coldread/kernel/build";
  return !fs::exists(sources, error) && fs::exists(installed, error) ? installed.string()
                                                                     : sources.string();
}

// Runs the script to its end; its progress goes where ours does.
int run_script(char* const* arguments, std::string* output) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, arguments[0], &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char buffer[4096];
  for (ssize_t length; error == 0 && (length = read(ends[0], buffer, sizeof buffer)) > 0;) {
    output->append(buffer, static_cast<size_t>(length));
  }
  close(ends[0]);
  int status = 0;
  if (error != 0) return -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

KernelLookup parse_build_output(const std::string& output, int status) {
  std::map<std::string, std::string> values;
  std::istringstream in(output);
  for (std::string line; std::getline(in, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 1);
  }
  KernelLookup lookup;
  if (status == 0 && values.count("linux") != 0 && values.count("module") != 0) {
    lookup.image = KernelImage{values["release"], values["linux"], values["module"]};
    return lookup;
  }
  lookup.skip = status == kCannotBeHad;
  lookup.reason = values.count("reason") != 0
                      ? values["reason"]
                      : fmt::format("tests/kernel/build ended with {}", status);
  return lookup;
}

KernelLookup find_kernel(const std::string& series, bool cached_only,
                         const KernelVariant& variant) {
  if (!sim::kAddressSanitizer) return ask_build_script(series, cached_only, variant);
  KernelLookup lookup;
  lookup.skip = true;
  lookup.can_be_built = false;
  lookup.reason =
      "this program is built with AddressSanitizer, whose shadow memory no guest has room for";
  return lookup;
}

KernelLookup ask_build_script(const std::string& series, bool cached_only,
                              const KernelVariant& variant) {
  std::string script = build_script();
  if (access(script.c_str(), X_OK) < 0) {
    KernelLookup lookup;
    lookup.skip = true;
    lookup.can_be_built = false;
    lookup.reason = fmt::format("{}: {}; set COLDREAD_KERNEL_TOOLS to Coldread's tests/kernel",
                                script, std::strerror(errno));
    return lookup;
  }
  std::vector<std::string> words = {script};
  if (cached_only) words.emplace_back("--cached");
  if (variant.security) words.emplace_back("--security");
  if (!variant.without.empty()) words.insert(words.end(), {"--without", variant.without});
  words.push_back(series);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string output;
  const int status = run_script(arguments.data(), &output);
  return parse_build_output(output, status);
}

std::vector<std::string> changes_taken_back() {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> names;
  const fs::path recipes = fs::path(build_script()).parent_path() / "taken_back";
  for (fs::directory_iterator entry(recipes, error), end; !error && entry != end;
       entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace coldread::live
