// What came of one scenario under one profile, and what the command as a whole makes of all of
// them.
//
// Plain data: made by execute.h on any thread, read by the reporters on one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/cli/exit_code.h"
#include "sim/player/check.h"
#include "sim/player/transcript.h"

namespace coldread::cli {

enum class Verdict : uint8_t {
  passed,
  failed,       // a wrong answer
  broken,       // a broken invariant, not expected
  hung,         // a hang, not expected
  environment,  // the guest did not boot, the module did not load ...
  bad_input,    // the scenario cannot be run as it is
  skipped,
};
inline constexpr size_t kVerdicts = 7;
const char* verdict_name(Verdict verdict);  // "passed", "bad_input" ...

// --compare: what the model and the real kernel say of each other.
enum class Agreement : uint8_t { not_compared, agree, differ, not_expressible };
inline constexpr size_t kAgreements = 4;
const char* agreement_name(Agreement agreement);

struct Outcome {
  std::string path;     // the scenario's, as found
  std::string profile;  // empty: the scenario could not be loaded
  Verdict verdict = Verdict::passed;
  std::string reason;  // of skipped, bad_input and environment: one sentence
  std::vector<player::Mismatch> mismatches;
  std::optional<player::Transcript> transcript;
  std::map<std::string, std::vector<std::string>> last_events;  // by task
  Agreement agreement = Agreement::not_compared;
  std::vector<player::Mismatch> differences;  // as player::compare() has them
  std::string repeat;                         // the command line that runs this one again
  std::vector<std::string> trace;             // ftrace lines, if asked for
};

// Counts over all outcomes, and the exit code that follows from them.
class Summary {
 public:
  void add(const Outcome& outcome);
  size_t count(Verdict verdict) const { return verdicts_[static_cast<size_t>(verdict)]; }
  size_t count(Agreement agreement) const { return agreements_[static_cast<size_t>(agreement)]; }
  size_t total() const;
  ExitCode exit_code() const;

 private:
  std::array<size_t, kVerdicts> verdicts_{};
  std::array<size_t, kAgreements> agreements_{};
};

}  // namespace coldread::cli
