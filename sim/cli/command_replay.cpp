// `coldread replay`: a finding looked at, step by step.
#include <fmt/core.h>

#include <memory>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/finding.h"
#include "sim/replay/replay.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "Plays a finding up to a decision or an event and shows what is there then: each task with "
    "the\n"
    "modelled functions it is in, what it waits for and the locks it holds, the request table, "
    "the\n"
    "objects and where their files have data. Going back is a smaller N. Exit code 3 or 4 as for\n"
    "`coldread run` if the report comes, 1 if another one or none does; 2 if the run ends before\n"
    "what it shall stop at.\n\n"
    "Examples:\n"
    "  coldread replay finding.json\n"
    "  coldread replay finding.json --to 40\n"
    "  coldread replay finding.json --until cachefiles_ondemand_read";

struct ReplayRequest {
  std::string path;
  std::optional<uint64_t> to;
  std::string until;
};

int complain_of_the_end(const ReplayRequest& request, const sim::Replayed& replayed) {
  const std::string wanted = request.until.empty()
                                 ? fmt::format("decision {}", *request.to)
                                 : fmt::format("an event with \"{}\"", request.until);
  fmt::print(stderr, "coldread: {}: expected to stop at {}, but the run ended after {} decisions\n",
             request.path, wanted, replayed.decisions);
  return kBadInput;
}

int replay(const ReplayRequest& request) {
  const Result<LoadedFinding> finding = load_finding(request.path);
  if (!finding) {
    fmt::print(stderr, "coldread: {}\n", finding.error());
    return kBadInput;
  }
  const sim::ReplayOptions options{finding->profile, finding->file.schedule,
                                   finding->file.daemon_choices, request.to, request.until};
  const sim::Replayed replayed = sim::look_at(finding->scenario, options);
  fmt::print("{}, on {}\n", finding->scenario.title, finding->profile.name);
  fmt::print("{}\n{}", sim::columns(replayed), replayed.state);
  if (replayed.stopped) return kPassed;
  if (replayed.report) {
    fmt::print("{}: {}\n", replayed.report->kind, replayed.report->text);
    for (const std::string& detail : replayed.report->details) fmt::print("  {}\n", detail);
  } else {
    fmt::print("the run ended well\n");
  }
  if (request.to || !request.until.empty()) return complain_of_the_end(request, replayed);
  const bool same = replayed.report && sim::report_signature(*replayed.report) ==
                                           sim::report_signature(finding->file.report);
  if (!same) {
    fmt::print("expected {}: {}\n", finding->file.report.kind, finding->file.report.text);
    return kWrongAnswer;
  }
  return replayed.report->kind == "hang" ? kHang : kBrokenInvariant;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("replay", "Look at a finding, step by step");
  auto request = std::make_shared<ReplayRequest>();
  command->add_option("FILE", request->path, "What `explore --save` or `shrink` wrote")->required();
  add_number(*command, "--to", "Stop at this decision, counted after the setup",
             [request](uint64_t decision) { request->to = decision; });
  command->add_option("--until", request->until, "Stop after a trace event that has this in it");
  command->footer(kFooter);
  command->callback([&action, request] { action = [request] { return replay(*request); }; });
}

}  // namespace coldread::cli
