// `coldread run`: its options, and what they may not say together.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "kernelmodel/profile.h"
#include "sim/cli/commands.h"
#include "sim/cli/run_scenarios.h"
#include "sim/live/kernel_image.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "A recording that `serve` or `exec --record FILE` wrote is played again step by step, and what "
    "it\nanswers compared; a hang is one again.\n\n"
    "Without PATH: the scenarios below ./scenarios, or those installed with the program.\n\n"
    "Examples:\n"
    "  coldread run                                   everything, on the model\n"
    "  coldread run scenarios/3-read --filter cold    some\n"
    "  coldread run a.json -v --trace a.ftrace        one, with every step and every tracepoint\n"
    "  coldread run a.json --strategy random --seed 7 another interleaving\n"
    "  coldread run a.json --without msg-id-cyclic    as if that had never been fixed\n"
    "  coldread run a.json --on kernel --compare      also on a real kernel: do they agree?\n"
    "  coldread run a.json --on kernel --compare --without msg-id-cyclic   on one without it\n"
    "  coldread run a.json --on fuse --compare        through a mount, with real processes\n"
    "  coldread run hang.jsonl -v                     a recorded mount, call by call\n"
    "  coldread run --recorded tests/recordings       do model and recorded kernels agree?\n"
    "  coldread run --format junit > results.xml      for a CI server";

// Of real kernels, which are built without one change, if at all; empty: fine.
std::string wrong_to_take_back(const sim::Changes& changes) {
  if (!changes.with.empty()) return "--with needs --on sim";
  if (changes.without.size() != 1) return "--on kernel takes one --without";
  const std::vector<std::string> known = live::changes_taken_back();
  if (std::find(known.begin(), known.end(), changes.without.front()) != known.end()) return {};
  return fmt::format(
      "--on kernel --without {}: tests/kernel/taken_back/ does not say how; there "
      "are: {}",
      changes.without.front(), fmt::join(known, " "));
}

// Of changes; empty: fine.
std::string wrong_changes(const RunRequest& request) {
  if (request.changes.empty()) return {};
  if (const Status known = sim::check_changes(request.changes); !known) return known.error();
  const char* const option = request.changes.with.empty() ? "--without" : "--with";
  if (request.on == Target::kernel) return wrong_to_take_back(request.changes);
  if (request.on == Target::fuse) return fmt::format("{} needs --on sim or --on kernel", option);
  if (!request.recorded.empty()) {
    return fmt::format("{} and --recorded: no kernel like that was recorded", option);
  }
  return {};
}

// What options cannot say of each other one by one; empty: fine.
std::string contradiction(const RunRequest& request) {
  if (request.compare && request.on == Target::sim)
    return "--compare needs --on kernel or --on fuse";
  if (!request.recorded.empty() && request.on != Target::sim) return "--recorded needs --on sim";
  if (request.schedule && request.on != Target::sim) return "--schedule needs --on sim";
  if (!request.trace.empty() && request.on == Target::fuse)
    return "--trace needs --on sim or --on kernel: a mount has trace_pipe";
  if (std::string wrong = wrong_changes(request); !wrong.empty()) return wrong;
  if (!request.kernel.empty() && find_profile(request.kernel) == nullptr) {
    std::string known;
    for (const Profile& profile : profiles()) known += fmt::format(" {}", profile.name);
    return fmt::format("--kernel {}: no such profile; there are:{}", request.kernel, known);
  }
  return {};
}

// An option that takes one of a few words; the first is the default.
template <typename T>
void add_choice(CLI::App& command, const char* name, const char* about, T& value,
                const std::vector<std::pair<std::string, T>>& choices) {
  std::vector<std::string> words;
  for (const auto& choice : choices) words.push_back(choice.first);
  const auto assign = [&value, choices](const std::string& word) {
    for (const auto& choice : choices) {
      if (choice.first == word) value = choice.second;
    }
  };
  command.add_option_function<std::string>(name, assign, about)
      ->check(CLI::IsMember(words))
      ->default_str(words.front());
}

void add_schedule(CLI::App& command, std::optional<sim::Schedule>& schedule) {
  const auto assign = [&schedule](const std::string& text) {
    const Result<sim::Schedule> parsed = sim::parse_schedule(text);
    if (!parsed) throw CLI::ValidationError("--schedule", parsed.error());
    schedule = *parsed;
  };
  command.add_option_function<std::string>(
      "--schedule", assign, "What `coldread explore` found: DECISION:CHOICE,... or -");
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("run", "Replay scenarios on the model or a real kernel");
  auto request = std::make_shared<RunRequest>();
  command->add_option("PATH", request->paths,
                      "Scenario files, directories of them, or recordings of mounts");
  add_choice(*command, "--on", "What runs them", request->on,
             {{"sim", Target::sim}, {"fuse", Target::fuse}, {"kernel", Target::kernel}});
  command->add_option("--kernel", request->kernel,
                      "One profile (see `coldread profiles`) instead of all a scenario lists");
  add_changes(*command, request->changes);
  add_number(*command, "--seed", "Of everything random", [request](uint64_t seed) {
    request->seed = seed;
  })->default_str(std::to_string(request->seed));
  add_choice(*command, "--strategy", "Who runs next on the model", request->strategy,
             {{"fifo", sim::Strategy::fifo}, {"random", sim::Strategy::random}});
  add_schedule(*command, request->schedule);
  command->add_flag("--daemon-choices", request->daemon_choices,
                    "The schedule is one in which ready-made daemons misbehave");
  add_choice(*command, "--format", "Of the results", request->format,
             {{"text", Format::text}, {"json", Format::json}, {"junit", Format::junit}});
  command->add_option("--jobs", request->jobs, "Files at once; the output is the same")
      ->check(CLI::Range(1u, 256u))
      ->default_str("one per CPU");
  command->add_option("--filter", request->filter, "Part of a path, or a glob it matches");
  command->add_option(
      "--trace", request->trace,
      "Write tracepoints to FILE, as ftrace does (a kernel's without task and time)");
  command->add_option("--transcripts", request->transcripts,
                      "Write each run's transcript below DIR");
  command->add_option("--recorded", request->recorded,
                      "Compare with what real kernels answered, recorded below DIR");
  command
      ->add_option("--hang-after", request->hang_after,
                   "Seconds after which a task of a real run counts as hung")
      ->check(CLI::Range(1u, 3600u))
      ->capture_default_str();
  command->add_flag("--compare", request->compare,
                    "With --on kernel or fuse: compare with the simulated transcript");
  command->add_flag("-v,--verbose", request->verbose, "Messages and steps as they go");
  command->footer(kFooter);
  command->callback([&action, request] {
    if (const std::string wrong = contradiction(*request); !wrong.empty()) {
      throw CLI::ValidationError(wrong);
    }
    action = [request] { return run_scenarios(*request); };
  });
}

}  // namespace coldread::cli
