// One record of a transcript as a line for people: -v.
#pragma once

#include <string>

#include "sim/player/transcript.h"

namespace coldread::cli {

// "  daemon: read_message = 64, OPEN id 1 object 1 ...".
std::string record_text(const std::string& task, const player::Record& record);

}  // namespace coldread::cli
