// A whole `coldread run`: every scenario asked for, reported in order.
#pragma once

#include "sim/cli/run_request.h"

namespace coldread::cli {

// Prints results to standard output, errors and progress to standard error; returns the exit code.
// Takes over SIGINT and SIGTERM.
int run_scenarios(const RunRequest& request);

}  // namespace coldread::cli
