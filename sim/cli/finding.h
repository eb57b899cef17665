// Findings as files: read, written, loaded.
#pragma once

#include <string>

#include "kernelmodel/profile.h"
#include "sim/explore/finding_file.h"
#include "sim/scenario/scenario.h"

namespace coldread::cli {

struct LoadedFinding {
  sim::FindingFile file;
  Profile profile;  // with its changes
  scenario::Scenario scenario;
};

// Errors name the file.
Result<LoadedFinding> load_finding(const std::string& path);

// All or nothing. False: it could not, and was said on stderr.
bool write_finding(const std::string& path, const sim::FindingFile& finding);

}  // namespace coldread::cli
