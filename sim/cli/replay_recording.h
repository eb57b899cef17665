// `coldread run` of a recording that `serve` or `exec` made.
#pragma once

#include "sim/cli/execute.h"

namespace coldread::cli {

bool is_recording(const std::string& path);
Outcome replay_recording(const RunContext& context, const std::string& path, const OnLine& on_line);

}  // namespace coldread::cli
