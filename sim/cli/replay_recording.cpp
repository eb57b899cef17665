// What came of a replay, as an outcome like any other.
#include "sim/cli/replay_recording.h"

#include <fmt/core.h>

#include "fuse/replay/replay.h"

namespace coldread::cli {
namespace {

using Replayed = fuse::ReplayResult::Verdict;

Verdict verdict_of(Replayed verdict) {
  switch (verdict) {
    case Replayed::same:
      return Verdict::passed;
    case Replayed::differs:
      return Verdict::failed;
    case Replayed::broken:
      return Verdict::broken;
    case Replayed::hung:
      return Verdict::hung;
    case Replayed::malformed:
      break;
  }
  return Verdict::bad_input;
}

// Options that make no sense of a run which has happened.
std::string contradiction(const RunRequest& request) {
  if (request.on != Target::sim) return "a recording is played with --on sim";
  if (!request.recorded.empty()) return "--recorded is for scenarios";
  if (request.schedule || request.strategy != sim::Strategy::fifo)
    return "a recording has an order of its own: neither --strategy nor --schedule";
  if (!request.kernel.empty() || !request.changes.empty())
    return "a recording is of one kernel: neither --kernel nor --with nor --without";
  return {};
}

}  // namespace

bool is_recording(const std::string& path) {
  return fuse::is_recording(path);
}

Outcome replay_recording(const RunContext& context, const std::string& path,
                         const OnLine& on_line) {
  Outcome outcome;
  outcome.path = path;
  if (std::string wrong = contradiction(context.request); !wrong.empty()) {
    outcome.verdict = Verdict::bad_input;
    outcome.reason = path + ": " + wrong;
    return outcome;
  }
  fuse::ReplayOptions options;
  options.on_line = on_line;
  if (!context.request.trace.empty()) {
    options.on_trace = [&outcome](std::string_view line) { outcome.trace.emplace_back(line); };
  }
  Result<fuse::ReplayResult> replayed = fuse::replay(path, options);
  if (!replayed) {
    outcome.verdict = Verdict::bad_input;
    outcome.reason = replayed.error();
    return outcome;
  }
  outcome.profile = replayed->kernel;
  outcome.verdict = verdict_of(replayed->verdict);
  if (!replayed->complete) outcome.reason = "the recording ends without the server's end";
  if (replayed->verdict == Replayed::differs) {
    const std::string recorded =
        replayed->recorded.empty() ? "the end of the file" : replayed->recorded;
    outcome.mismatches.push_back(
        {fmt::format("line {}", replayed->line), "", recorded, replayed->got});
  }
  player::Transcript& transcript = outcome.transcript.emplace();
  transcript.kernel = replayed->kernel;
  transcript.report = std::move(replayed->report);
  return outcome;
}

}  // namespace coldread::cli
