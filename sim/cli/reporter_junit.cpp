// Results for CI servers: JUnit XML, one suite, a case for each scenario and profile.
#include <fmt/core.h>

#include "sim/cli/reporter.h"
#include "sim/cli/xml_text.h"

namespace coldread::cli {
namespace {

class JunitReporter : public Reporter {
 public:
  explicit JunitReporter(FILE* out) : out_(out) {}

  void begin(const RunRequest& request) override {
    suite_ = fmt::format("coldread-{}", target_name(request.on));
    properties_ = fmt::format(
        "    <properties>\n"
        "      <property name=\"seed\" value=\"{}\"/>\n"
        "      <property name=\"strategy\" value=\"{}\"/>\n"
        "    </properties>\n",
        request.seed, strategy_name(request.strategy));
  }

  void add(const Outcome& outcome) override {
    cases_ += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", xml_text(outcome.path),
                          xml_text(outcome.profile.empty() ? "load" : outcome.profile));
    if (outcome.verdict == Verdict::passed) {
      cases_ += "/>\n";
      return;
    }
    const bool error =
        outcome.verdict == Verdict::environment || outcome.verdict == Verdict::bad_input;
    const char* element = outcome.verdict == Verdict::skipped ? "skipped"
                          : error                             ? "error"
                                                              : "failure";
    cases_ += fmt::format(">\n      <{} message=\"{}\"", element, xml_text(headline(outcome)));
    if (outcome.verdict == Verdict::skipped) {
      cases_ += "/>\n";
    } else {
      cases_ += fmt::format(" type=\"{}\">{}</{}>\n", verdict_name(outcome.verdict),
                            xml_text(details(outcome)), element);
    }
    cases_ += "    </testcase>\n";
  }

  void end(const Summary& summary, bool /*interrupted*/) override {
    const size_t errors = summary.count(Verdict::environment) + summary.count(Verdict::bad_input);
    const size_t skipped = summary.count(Verdict::skipped);
    const size_t failures = summary.total() - summary.count(Verdict::passed) - errors - skipped;
    const std::string counts =
        fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", summary.total(),
                    failures, errors, skipped);
    fmt::print(out_,
               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
               "<testsuites {}>\n  <testsuite name=\"{}\" {}>\n{}{}  </testsuite>\n</testsuites>\n",
               counts, suite_, counts, properties_, cases_);
    fflush(out_);
  }

 private:
  static std::string headline(const Outcome& outcome) {
    if (!outcome.reason.empty()) return outcome.reason;
    if (outcome.transcript && outcome.transcript->report) {
      return outcome.transcript->report->kind + ": " + outcome.transcript->report->text;
    }
    if (!outcome.mismatches.empty()) {
      const player::Mismatch& first = outcome.mismatches.front();
      return fmt::format("{}: expected {}, got {}", first.pointer, first.expected, first.got);
    }
    return outcome.differences.empty() ? "" : "differs from the kernel";
  }

  static std::string details(const Outcome& outcome) {
    std::string text;
    for (const player::Mismatch& mismatch : outcome.mismatches) {
      text += fmt::format("{}: expected {}, got {}\n", mismatch.pointer, mismatch.expected,
                          mismatch.got);
    }
    for (const player::Mismatch& difference : outcome.differences) {
      text += fmt::format("{}: kernel {}, model {}\n", difference.pointer, difference.expected,
                          difference.got);
    }
    if (outcome.transcript && outcome.transcript->report) {
      for (const std::string& line : outcome.transcript->report->details) text += line + "\n";
    }
    return outcome.repeat.empty() ? text : text + "repeat: " + outcome.repeat + "\n";
  }

  FILE* const out_;
  std::string suite_;
  std::string properties_;
  std::string cases_;
};

}  // namespace

std::unique_ptr<Reporter> make_junit_reporter(FILE* out) {
  return std::make_unique<JunitReporter>(out);
}

}  // namespace coldread::cli
