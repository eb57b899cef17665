// The formats in which results are printed: text for people, JSON for programs, JUnit for CI
// servers.
//
// Deterministic: the same request and outcomes give the same bytes. Used on one thread.
#pragma once

#include <cstdio>
#include <memory>

#include "sim/cli/outcome.h"
#include "sim/cli/run_request.h"

namespace coldread::cli {

class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void begin(const RunRequest& request) = 0;  // prints seed and strategy first
  virtual void add(const Outcome& outcome) = 0;
  virtual void end(const Summary& summary, bool interrupted) = 0;
};

// `out` outlives the reporter.
std::unique_ptr<Reporter> make_text_reporter(FILE* out);
std::unique_ptr<Reporter> make_json_reporter(FILE* out);
std::unique_ptr<Reporter> make_junit_reporter(FILE* out);
std::unique_ptr<Reporter> make_reporter(Format format, FILE* out);

}  // namespace coldread::cli
