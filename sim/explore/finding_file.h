// A finding as one file to send to somebody: the scenario, the kernel, the schedule, and what comes
// of it.
//
// Thread rules: plain data.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sim/explore/schedule.h"
#include "sim/machine/changes.h"
#include "sim/player/transcript.h"
#include "sim/result.h"

namespace coldread::sim {

struct FindingFile {
  nlohmann::ordered_json scenario;  // the whole document
  std::string path;                 // where it was; files it names are looked for from there
  std::string kernel;               // a profile's name
  Changes changes;                  // of it
  bool daemon_choices = false;      // ready-made daemons misbehave as the schedule says
  Schedule schedule;
  player::RunReport report;
};

std::string finding_text(const FindingFile& finding);
// The inverse. The error names `path`, the JSON pointer and what was expected.
Result<FindingFile> parse_finding(const std::string& path, const std::string& text);

// What two reports have in common if they are about the same: their kind and first words, without
// numbers.
std::string report_signature(const player::RunReport& report);

}  // namespace coldread::sim
