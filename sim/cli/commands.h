// The subcommands: each adds itself to the command line and, if chosen, says what to do.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "sim/machine/changes.h"

namespace coldread::cli {

// What the chosen subcommand does after parsing; returns the exit code.
using Action = std::function<int()>;

// Of --direct.
constexpr const char* kDirectHelp =
    "Read and write cache files with O_DIRECT, as a kernel does: no data is in memory twice, but "
    "each READ waits for the disk two times";

// --with and --without. Names are not checked (sim::check_changes()).
void add_changes(CLI::App& command, sim::Changes& changes);

// An option that takes any number of 64 bits, of type TEXT.
CLI::Option* add_number(CLI::App& command, const std::string& name, const char* about,
                        const std::function<void(uint64_t)>& assign);

void add_run(CLI::App& app, Action& action);
void add_explore(CLI::App& app, Action& action);
void add_merge(CLI::App& app, Action& action);
void add_shrink(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_record(CLI::App& app, Action& action);
void add_profiles(CLI::App& app, Action& action);
void add_bugs(CLI::App& app, Action& action);
void add_schema(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_mount(CLI::App& app, Action& action);
void add_umount(CLI::App& app, Action& action);
void add_exec(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);

}  // namespace coldread::cli
