// A recorded run of a mount, made again in the simulator: no mount, no disk, no process, no clock.
//
// The very code that served the mount runs on the same scheduler. Each input of the recording
// enters at exactly the step at which it did, time is what it was, and what the disk and processes
// answered is answered again; whatever the model answers, and its tracepoints, must be what is
// recorded. So a hang that was seen once is a test case.
//
// Deterministic. Thread rules: replay() may be called from several threads at once, each call is on
// its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sim/player/transcript.h"

namespace coldread::fuse {

struct ReplayOptions {
  // Receives what enters and what is answered, a text each: -v. May be null.
  std::function<void(std::string_view line)> on_line;
  // Receives each tracepoint in ftrace's format. May be null.
  std::function<void(std::string_view line)> on_trace;
};

struct ReplayResult {
  enum class Verdict : uint8_t {
    same,       // as recorded, to the end
    differs,    // `line` on
    malformed,  // no such recording can have been written; `got` says why
    broken,     // as recorded, and what was recorded is a broken invariant
    hung,       // as recorded, and somebody waited when it ended or the server was stopped
  };
  Verdict verdict = Verdict::same;
  std::string kernel;    // the profile's name
  size_t line = 0;       // of the file, from 1
  std::string recorded;  // the line; empty: there is none
  std::string got;
  bool complete = true;  // false: the server was killed, or the machine died
  uint64_t steps = 0;
  uint64_t inputs = 0;
  std::optional<player::RunReport> report;  // of broken and hung
};

bool is_recording(const std::string& path);

// An error is bad input, with the file and the line.
Result<ReplayResult> replay(const std::string& path, const ReplayOptions& options);

}  // namespace coldread::fuse
