// A request as words: the names of its choices, and the command line that asks for it again.
#include "sim/cli/run_request.h"

#include <fmt/core.h>

#include <algorithm>

namespace coldread::cli {

std::string shell_quoted(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("/._-+=:,@%").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

const char* target_name(Target target) {
  switch (target) {
    case Target::sim:
      return "sim";
    case Target::fuse:
      return "fuse";
    case Target::kernel:
      break;
  }
  return "kernel";
}

const char* strategy_name(sim::Strategy strategy) {
  return strategy == sim::Strategy::fifo ? "fifo" : "random";
}

std::string repeat_command(const RunRequest& request, const std::string& path,
                           const std::string& profile) {
  std::string command =
      fmt::format("coldread run {} --kernel {}", shell_quoted(path), shell_quoted(profile));
  command += request.schedule ? fmt::format(" --schedule {}", sim::schedule_text(*request.schedule))
                              : fmt::format(" --seed {} --strategy {}", request.seed,
                                            strategy_name(request.strategy));
  if (request.daemon_choices) command += " --daemon-choices";
  command += sim::changes_text(request.changes);
  if (request.on != Target::sim) {
    command += fmt::format(" --on {}", target_name(request.on));
    if (request.compare) command += " --compare";
    if (request.hang_after != kDefaultHangAfter) {
      command += fmt::format(" --hang-after {}", request.hang_after);
    }
  }
  return command;
}

}  // namespace coldread::cli
