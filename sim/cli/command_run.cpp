// `coldread run`: options, then every scenario, results in order.
#include <fmt/core.h>

#include <charconv>
#include <thread>

#include "kernelmodel/profile.h"
#include "sim/cli/batch.h"
#include "sim/cli/commands.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/output_file.h"
#include "sim/cli/progress.h"
#include "sim/cli/reporter.h"
#include "sim/cli/transcript_files.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "Without PATH: the scenarios below ./scenarios, or those installed with the program.\n\n"
    "Examples:\n"
    "  coldread run                                   everything, on the model\n"
    "  coldread run scenarios/basics --filter cold    some\n"
    "  coldread run a.json -v --trace a.ftrace        one, with every step and every tracepoint\n"
    "  coldread run a.json --strategy random --seed 7 another interleaving\n"
    "  coldread run a.json --on kernel --compare      also on a real kernel: do they agree?\n"
    "  coldread run --format junit > results.xml      for a CI server";

// What options cannot say of each other one by one; empty: fine.
std::string contradiction(const RunRequest& request) {
  if (request.compare && request.on != Target::kernel) return "--compare needs --on kernel";
  if (!request.trace.empty() && request.on != Target::sim) {
    return "--trace needs --on sim: a User-Mode Linux kernel has no tracepoints";
  }
  if (!request.kernel.empty() && find_profile(request.kernel) == nullptr) {
    std::string known;
    for (const Profile& profile : profiles()) known += fmt::format(" {}", profile.name);
    return fmt::format("--kernel {}: no such profile; there are:{}", request.kernel, known);
  }
  return {};
}

int complain(const std::string& message) {
  fmt::print(stderr, "coldread: {}\n", message);
  return kBadInput;
}

// The files a run writes beside its report.
class SideOutputs {
 public:
  static Result<SideOutputs> create(const RunRequest& request) {
    SideOutputs outputs;
    outputs.transcripts_ = request.transcripts;
    if (!request.trace.empty()) {
      Result<OutputFile> trace = OutputFile::create(request.trace);
      if (!trace) return Error{"--trace " + trace.error()};
      outputs.trace_.emplace(std::move(*trace));
      outputs.trace_->write("# tracer: nop\n#\n");
    }
    return outputs;
  }

  Status add(const Outcome& outcome) {
    if (trace_ && outcome.transcript) {
      trace_->write(fmt::format("# {} {}\n", outcome.path, outcome.profile));
      for (const std::string& line : outcome.trace) trace_->write(line + "\n");
    }
    if (transcripts_.empty() || !outcome.transcript) return Nothing{};
    return write_transcript(transcripts_, outcome);
  }

  Status finish() {
    if (!trace_) return Nothing{};
    Status status = trace_->commit();
    return status ? Status(Nothing{}) : Error{"--trace " + status.error()};
  }

 private:
  std::string transcripts_;
  std::optional<OutputFile> trace_;
};

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
    if (ferror(stdout) != 0) {
      fmt::print(stderr, "coldread: the results could not be written to standard output\n");
      return kEnvironmentFailed;
    }
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
void run_one_by_one(const RunRequest& request, const std::vector<std::string>& files,
                    const std::atomic<bool>& stop, Session& session) {
  OnLine on_line;
  if (request.verbose) {
    // In other formats standard output is for the results alone.
    FILE* const out = request.format == Format::text ? stdout : stderr;
    on_line = [out](std::string_view line) { fmt::print(out, "{}\n", line); };
  }
  for (size_t i = 0; i < files.size() && !stop; ++i) {
    execute(request, files[i], stop, on_line,
            [&](const Outcome& outcome) { session.take(outcome); });
    session.file_done(i, files[i]);
  }
}

// Guests have a disk and memory each: many of them are no faster.
unsigned jobs_of(const RunRequest& request) {
  if (request.jobs > 0) return request.jobs;
  const unsigned cpus = std::max(1u, std::thread::hardware_concurrency());
  return request.on == Target::kernel ? std::min(cpus, 4u) : cpus;
}

void run_in_parallel(const RunRequest& request, unsigned jobs,
                     const std::vector<std::string>& files, const std::atomic<bool>& stop,
                     Session& session) {
  using Outcomes = std::vector<Outcome>;
  const auto work = [&](size_t i) {
    Outcomes outcomes;
    execute(request, files[i], stop, nullptr,
            [&](Outcome outcome) { outcomes.push_back(std::move(outcome)); });
    return outcomes;
  };
  const auto take = [&](size_t i, const Outcomes& outcomes) {
    for (const Outcome& outcome : outcomes) session.take(outcome);
    session.file_done(i, files[i]);
  };
  run_batch<Outcomes>(files.size(), jobs, stop, work, take);
}

int run_scenarios(const RunRequest& request) {
  if (const std::string wrong = contradiction(request); !wrong.empty()) return complain(wrong);
  const Result<std::vector<std::string>> files = find_scenarios(request.paths, request.filter);
  if (!files) return complain(files.error());
  Result<SideOutputs> outputs = SideOutputs::create(request);
  if (!outputs) return complain(outputs.error());

  const std::atomic<bool>& stop = catch_interrupts();
  Session session(request, *outputs, files->size());
  // Lines of several runs at once would be of no use.
  const bool alone = request.verbose || request.jobs == 1 || files->size() == 1;
  if (alone) {
    run_one_by_one(request, *files, stop, session);
  } else {
    run_in_parallel(request, jobs_of(request), *files, stop, session);
  }
  return session.finish(stop);
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

// CLI11 would take -1 for 2^64 - 1.
void add_seed(CLI::App& command, uint64_t& seed) {
  const auto assign = [&seed](const std::string& word) {
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, seed);
    if (error != std::errc() || rest != end) {
      throw CLI::ValidationError("--seed", "expected a number from 0 to 2^64 - 1, got " + word);
    }
  };
  command.add_option_function<std::string>("--seed", assign, "Of everything random")
      ->default_str(std::to_string(seed));
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("run", "Replay scenarios on the model or a real kernel");
  auto request = std::make_shared<RunRequest>();
  command->add_option("PATH", request->paths, "Scenario files, or directories of them");
  add_choice(*command, "--on", "What runs them", request->on,
             {{"sim", Target::sim}, {"kernel", Target::kernel}});
  command->add_option("--kernel", request->kernel,
                      "One profile (see `coldread profiles`) instead of all a scenario lists");
  add_seed(*command, request->seed);
  add_choice(*command, "--strategy", "Who runs next on the model", request->strategy,
             {{"fifo", sim::Strategy::fifo}, {"random", sim::Strategy::random}});
  add_choice(*command, "--format", "Of the results", request->format,
             {{"text", Format::text}, {"json", Format::json}, {"junit", Format::junit}});
  command->add_option("--jobs", request->jobs, "Files at once; the output is the same")
      ->check(CLI::Range(1u, 256u))
      ->default_str("one per CPU");
  command->add_option("--filter", request->filter, "Part of a path, or a glob it matches");
  command->add_option("--trace", request->trace, "Write tracepoints to FILE, as ftrace does");
  command->add_option("--transcripts", request->transcripts,
                      "Write each run's transcript below DIR");
  command
      ->add_option("--hang-after", request->hang_after,
                   "Seconds after which a task of a real kernel counts as hung")
      ->check(CLI::Range(1u, 3600u))
      ->capture_default_str();
  command->add_flag("--compare", request->compare,
                    "With --on kernel: compare with the model's transcript");
  command->add_flag("-v,--verbose", request->verbose, "Messages and steps as they go");
  command->footer(kFooter);
  command->callback([&action, request] { action = [request] { return run_scenarios(*request); }; });
}

}  // namespace coldread::cli
