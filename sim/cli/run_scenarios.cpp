#include "sim/cli/run_scenarios.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "sim/cli/batch.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/progress.h"
#include "sim/cli/reporter.h"
#include "sim/cli/side_outputs.h"

namespace coldread::cli {
namespace {

int complain(const std::string& message) {
  fmt::print(stderr, "coldread: {}\n", message);
  return kBadInput;
}

// What every outcome passes through, in order.
class Session {
 public:
  Session(const RunRequest& request, SideOutputs& outputs, size_t files)
      : outputs_(outputs), progress_(files), reporter_(make_reporter(request.format, stdout)) {
    reporter_->begin(request);
  }

  void take(const Outcome& outcome) {
    progress_.clear();
    summary_.add(outcome);
    reporter_->add(outcome);
    if (outcome.verdict == Verdict::bad_input) complain(outcome.reason);
    if (Status written = outputs_.add(outcome); !written && trouble_.empty()) {
      trouble_ = written.error();
    }
  }

  void file_done(size_t index, const std::string& path) { progress_.show(index + 1, path); }

  int finish(bool interrupted) {
    progress_.clear();
    reporter_->end(summary_, interrupted);
    if (Status written = outputs_.finish(); !written) trouble_ = written.error();
    if (!trouble_.empty()) return complain(trouble_);
    return interrupted ? kInterrupted : summary_.exit_code();
  }

 private:
  SideOutputs& outputs_;
  Progress progress_;
  std::unique_ptr<Reporter> reporter_;
  Summary summary_;
  std::string trouble_;  // with a side output
};

// Everything in order on this thread: each line and outcome is there as soon as it can be.
void run_one_by_one(RunContext& context, const std::vector<std::string>& files, Session& session) {
  const RunRequest& request = context.request;
  OnLine on_line;
  if (request.verbose) {
    // In other formats standard output is for the results alone.
    FILE* const out = request.format == Format::text ? stdout : stderr;
    on_line = [out](std::string_view line) { fmt::print(out, "{}\n", line); };
  }
  for (size_t i = 0; i < files.size() && !context.stop; ++i) {
    execute(context, files[i], on_line, [&](const Outcome& outcome) { session.take(outcome); });
    session.file_done(i, files[i]);
  }
}

// Guests have a disk and memory each: many of them are no faster.
unsigned jobs_of(const RunRequest& request) {
  if (request.jobs > 0) return request.jobs;
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  return request.on == Target::kernel ? std::min(cpus, 4u) : cpus;
}

void run_in_parallel(RunContext& context, unsigned jobs, const std::vector<std::string>& files,
                     Session& session) {
  using Outcomes = std::vector<Outcome>;
  const auto work = [&](size_t i) {
    Outcomes outcomes;
    execute(context, files[i], nullptr,
            [&](Outcome outcome) { outcomes.push_back(std::move(outcome)); });
    return outcomes;
  };
  const auto take = [&](size_t i, const Outcomes& outcomes) {
    for (const Outcome& outcome : outcomes) session.take(outcome);
    session.file_done(i, files[i]);
  };
  run_batch<Outcomes>(files.size(), jobs, context.stop, work, take);
}

}  // namespace

int run_scenarios(const RunRequest& request) {
  const Result<std::vector<std::string>> files = find_scenarios(request.paths, request.filter);
  if (!files) return complain(files.error());
  Result<SideOutputs> outputs = SideOutputs::create(request);
  if (!outputs) return complain(outputs.error());

  if (!request.recorded.empty() && !std::filesystem::is_directory(request.recorded)) {
    return complain(fmt::format("--recorded {}: no such directory", request.recorded));
  }
  Result<recordings::Recordings> recorded = recordings::Recordings::load(request.recorded);
  if (!recorded) return complain("--recorded " + recorded.error());

  const std::atomic<bool>& stop = catch_interrupts();
  RunContext context{request, stop, std::move(*recorded), {}};
  Session session(request, *outputs, files->size());
  // Lines of several runs at once would be of no use.
  const bool alone = request.verbose || request.jobs == 1 || files->size() == 1;
  if (alone) {
    run_one_by_one(context, *files, session);
  } else {
    run_in_parallel(context, jobs_of(request), *files, session);
  }
  return session.finish(stop);
}

}  // namespace coldread::cli
