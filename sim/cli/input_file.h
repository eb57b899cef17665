// Files that one command wrote and another reads again: findings, parts of explorations.
#pragma once

#include <fstream>
#include <string>

#include "sim/result.h"

namespace coldread::cli {

// The error names the file, and says so if it is a directory, which can be opened but not read.
Result<std::ifstream> open_input(const std::string& path);

}  // namespace coldread::cli
