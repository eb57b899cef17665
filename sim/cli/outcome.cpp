// Verdicts by name, and the one exit code that many verdicts make.
#include "sim/cli/outcome.h"

#include <numeric>

namespace coldread::cli {

const char* verdict_name(Verdict verdict) {
  static constexpr std::array<const char*, kVerdicts> kNames = {
      "passed", "failed", "broken", "hung", "environment", "bad_input", "skipped"};
  return kNames[static_cast<size_t>(verdict)];
}

const char* agreement_name(Agreement agreement) {
  static constexpr std::array<const char*, kAgreements> kNames = {"not_compared", "agree", "differ",
                                                                  "not_expressible"};
  return kNames[static_cast<size_t>(agreement)];
}

void Summary::add(const Outcome& outcome) {
  ++verdicts_[static_cast<size_t>(outcome.verdict)];
  ++agreements_[static_cast<size_t>(outcome.agreement)];
}

size_t Summary::total() const {
  return std::accumulate(verdicts_.begin(), verdicts_.end(), size_t{0});
}

ExitCode Summary::exit_code() const {
  // In order of precedence: what makes the other results worth less comes first.
  if (count(Verdict::bad_input) > 0) return kBadInput;
  if (count(Verdict::environment) > 0) return kEnvironmentFailed;
  if (count(Verdict::broken) > 0) return kBrokenInvariant;
  if (count(Verdict::hung) > 0) return kHang;
  if (count(Verdict::failed) > 0) return kWrongAnswer;
  return count(Verdict::passed) > 0 ? kPassed : kAllSkipped;
}

}  // namespace coldread::cli
