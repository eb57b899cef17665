// `coldread shrink`: a finding made small.
#include <fmt/core.h>

#include <memory>

#include "sim/cli/commands.h"
#include "sim/cli/execute.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/finding.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/progress.h"
#include "sim/counted.h"
#include "sim/explore/shrink.h"
#include "sim/replay/replay.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "Leaves out tasks, steps and context switches as long as the same report comes of it; each\n"
    "candidate is played. FILE is what `coldread explore --save FILE` wrote. On Ctrl-C the\n"
    "smallest so far is written, exit code 130.\n\n"
    "Example:\n"
    "  coldread explore a.json --strategy pos --save finding.json\n"
    "  coldread shrink finding.json -o small.json";

struct ShrinkRequest {
  std::string path;
  std::string output;  // empty: the same file
  uint64_t schedules = 1'000;
};

std::string size_text(const sim::FindingFile& finding) {
  const sim::FindingSize size = sim::size_of(finding);
  return fmt::format("{}, {}, {} switch{}", counted(size.tasks, "task"),
                     counted(size.steps, "step"), size.switches, size.switches == 1 ? "" : "es");
}

int shrink(const ShrinkRequest& request) {
  const Result<LoadedFinding> finding = load_finding(request.path);
  if (!finding) {
    fmt::print(stderr, "coldread: {}\n", finding.error());
    return kBadInput;
  }
  Progress progress(0);
  size_t taken = 0;
  const std::atomic<bool>& stop = catch_interrupts();
  sim::ShrinkOptions options{finding->profile, load_options(), request.schedules, nullptr, &stop};
  options.on_progress = [&](const sim::FindingFile& smaller) {
    progress.show(++taken, size_text(smaller));
  };
  const Result<sim::FindingFile> small = sim::shrink(finding->file, options);
  progress.clear();
  const bool interrupted = stop;
  if (!small) {
    fmt::print(stderr, "coldread: {}: {}\n", request.path, small.error());
    return kBadInput;
  }
  const std::string output = request.output.empty() ? request.path : request.output;
  if (!write_finding(output, *small)) return kBadInput;
  fmt::print("{}: {}\n", small->report.kind, small->report.text);
  fmt::print("  {}, of {}{}\n", size_text(*small), size_text(finding->file),
             interrupted ? "; interrupted: it may become smaller" : "");
  fmt::print("  repeat: coldread replay {}\n", output);
  if (const Result<LoadedFinding> again = load_finding(output)) {
    const sim::ReplayOptions replay{
        again->profile, again->file.schedule, again->file.daemon_choices, {}, ""};
    fmt::print("{}", sim::columns(sim::look_at(again->scenario, replay)));
  }
  return interrupted ? kInterrupted : kPassed;
}

}  // namespace

void add_shrink(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("shrink", "Make a finding small");
  auto request = std::make_shared<ShrinkRequest>();
  command->add_option("FILE", request->path, "A finding")->required();
  command->add_option("-o,--output", request->output, "Write the result here")
      ->default_str("to FILE");
  command->add_option("--schedules", request->schedules, "Tried for each candidate")
      ->check(CLI::Range(uint64_t{3}, uint64_t{1} << 30))
      ->capture_default_str();
  command->footer(kFooter);
  command->callback([&action, request] { action = [request] { return shrink(*request); }; });
}

}  // namespace coldread::cli
