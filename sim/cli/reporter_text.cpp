// Results for people: a line for each scenario and profile, everything known about each failure.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "sim/cli/reporter.h"

namespace coldread::cli {
namespace {

const char* mark(Verdict verdict) {
  static constexpr std::array<const char*, kVerdicts> kMarks = {"ok",    "FAIL", "BROKEN", "HANG",
                                                                "ERROR", "BAD",  "skip"};
  return kMarks[static_cast<size_t>(verdict)];
}

// Of one kind and one run; the first says more than all that follow from it.
constexpr size_t kMaxShown = 10;

class TextReporter : public Reporter {
 public:
  explicit TextReporter(FILE* out) : out_(out) {}

  void begin(const RunRequest& request) override {
    if (request.schedule)
      fmt::print(out_, "schedule {}", sim::schedule_text(*request.schedule));
    else
      fmt::print(out_, "seed {}, strategy {}", request.seed, strategy_name(request.strategy));
    fmt::print(out_, ", on {}\n", target_name(request.on));
    fflush(out_);
  }

  void add(const Outcome& outcome) override {
    if (outcome.verdict == Verdict::bad_input) return;  // standard error has it
    fmt::print(out_, "{:<6} {}", mark(outcome.verdict), outcome.path);
    if (!outcome.profile.empty()) fmt::print(out_, "  {}", outcome.profile);
    if (outcome.agreement != Agreement::not_compared) {
      fmt::print(out_, "  {}", agreement_name(outcome.agreement));
    }
    fmt::print(out_, "{}{}\n", outcome.reason.empty() ? "" : ": ", outcome.reason);
    if (outcome.verdict != Verdict::passed && outcome.verdict != Verdict::skipped) {
      explain(outcome);
    }
    fflush(out_);
  }

  void end(const Summary& summary, bool interrupted) override {
    fmt::print(out_, "{}{} run: {} passed", interrupted ? "interrupted; " : "", summary.total(),
               summary.count(Verdict::passed));
    for (const auto& [verdict, words] : {std::pair{Verdict::failed, "failed"},
                                         {Verdict::broken, "with a broken invariant"},
                                         {Verdict::hung, "hung"},
                                         {Verdict::environment, "without a working environment"},
                                         {Verdict::bad_input, "with bad input"},
                                         {Verdict::skipped, "skipped"}}) {
      if (summary.count(verdict) > 0) fmt::print(out_, ", {} {}", summary.count(verdict), words);
    }
    fmt::print(out_, "\n");
    const size_t agree = summary.count(Agreement::agree);
    const size_t differ = summary.count(Agreement::differ);
    const size_t inexpressible = summary.count(Agreement::not_expressible);
    if (agree + differ + inexpressible > 0) {
      fmt::print(out_, "model and kernel: {} agree, {} differ, {} not expressible\n", agree, differ,
                 inexpressible);
    }
    fflush(out_);
  }

 private:
  void explain(const Outcome& outcome) {
    print_pairs(outcome.mismatches, "expected", "got");
    print_pairs(outcome.differences, "kernel", "model");
    if (outcome.transcript && outcome.transcript->report) {
      const player::RunReport& report = *outcome.transcript->report;
      fmt::print(out_, "       report: {}: {}\n", report.kind, report.text);
      for (const std::string& line : report.details) fmt::print(out_, "         {}\n", line);
    }
    for (const auto& [task, events] : outcome.last_events) {
      if (events.empty()) continue;
      fmt::print(out_, "       last events of {}:\n", task);
      for (const std::string& event : events) {
        // ftrace pads the task's name on the left; here it stands above.
        const size_t start = std::min(event.find_first_not_of(' '), event.size());
        fmt::print(out_, "         {}\n", std::string_view(event).substr(start));
      }
    }
    if (!outcome.repeat.empty()) fmt::print(out_, "       repeat: {}\n", outcome.repeat);
  }

  void print_pairs(const std::vector<player::Mismatch>& mismatches, const char* left,
                   const char* right) {
    const size_t shown = std::min(mismatches.size(), kMaxShown);
    for (size_t i = 0; i < shown; ++i) print_pair(mismatches[i], left, right);
    if (mismatches.size() > shown) {
      fmt::print(out_, "       ... and {} more (all with --format json)\n",
                 mismatches.size() - shown);
    }
  }

  void print_pair(const player::Mismatch& mismatch, const char* left, const char* right) {
    fmt::print(out_, "       {}{}{}{}\n", mismatch.pointer, mismatch.task.empty() ? "" : "  (task ",
               mismatch.task, mismatch.task.empty() ? "" : ")");
    fmt::print(out_, "         {:<8}  {}\n         {:<8}  {}\n", left, mismatch.expected, right,
               mismatch.got);
  }

  FILE* const out_;
};

}  // namespace

std::unique_ptr<Reporter> make_text_reporter(FILE* out) {
  return std::make_unique<TextReporter>(out);
}

std::unique_ptr<Reporter> make_reporter(Format format, FILE* out) {
  switch (format) {
    case Format::json:
      return make_json_reporter(out);
    case Format::junit:
      return make_junit_reporter(out);
    case Format::text:
      break;
  }
  return make_text_reporter(out);
}

}  // namespace coldread::cli
