// Builds the command line out of the subcommands and runs the one that was chosen.
#include "sim/cli/app.h"

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <string_view>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/live/guest_main.h"
#include "sim/live/play_main.h"

namespace coldread::cli {
namespace {

constexpr const char* kAbout =
    "Linux's cachefiles on-demand read mode as an ordinary program.\n"
    "Replays scenarios on the model of that kernel code, and on the real kernel; serves it as a "
    "mount.\n";

constexpr const char* kFooter =
    "Exit codes: 0 passed, 1 a wrong answer, 2 usage or bad input, 3 a broken invariant, 4 a "
    "hang,\n"
    "5 the environment failed, 77 everything was skipped, 130 interrupted; of several\n"
    "2 > 5 > 3 > 4 > 1 > 130.\n"
    "Each command has its own --help, with examples.";

int complain(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::vector<std::string> unknown = app.remaining();
  if (chosen.empty() && !unknown.empty()) {
    fmt::print(stderr, "coldread: {}: no such command or option\n", unknown.front());
  } else {
    fmt::print(stderr, "coldread: {}\n", error.what());
  }
  const std::string command = chosen.empty() ? "" : chosen.front()->get_name() + " ";
  fmt::print(stderr, "Try: coldread {}--help\n", command);
  return kBadInput;
}

// What was printed and is nowhere, for a full disk or a closed pipe, is no result.
bool flush_output() {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return true;
  fmt::print(stderr, "coldread: the results could not be written to standard output\n");
  return false;
}

int parse_and_run(int argc, char** argv) {
  CLI::App app(kAbout, "coldread");
  Action action;
  app.set_version_flag("--version", "coldread " COLDREAD_VERSION);
  app.footer(kFooter);
  app.require_subcommand(1);
  add_run(app, action);
  add_explore(app, action);
  add_merge(app, action);
  add_shrink(app, action);
  add_replay(app, action);
  add_record(app, action);
  add_profiles(app, action);
  add_bugs(app, action);
  add_schema(app, action);
  add_serve(app, action);
  add_mount(app, action);
  add_umount(app, action);
  add_exec(app, action);
  add_doctor(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain(app, error);
  }
  const int exit_code = action();
  return flush_output() ? exit_code : worse(exit_code, kEnvironmentFailed);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    // Not for people: what --on kernel starts inside a guest.
    if (argc == 3 && std::string_view(argv[1]) == "guest") return live::run_guest(argv[2]);
    // Nor this: what --on fuse starts under a supervisor.
    if (argc == 3 && std::string_view(argv[1]) == "play") return live::run_play(argv[2]);
    return parse_and_run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "coldread: {}\n", error.what());
    return kEnvironmentFailed;
  }
}

}  // namespace coldread::cli
