// Transcripts on disk: --transcripts DIR.
#pragma once

#include <string>

#include "sim/cli/outcome.h"
#include "sim/result.h"

namespace coldread::cli {

// The outcome's transcript, whole, as JSON: DIR/path/of/scenario.PROFILE.json. Directories are
// made.
Status write_transcript(const std::string& directory, const Outcome& outcome);

}  // namespace coldread::cli
