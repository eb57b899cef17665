// Which files a command line means: the scenarios named, and those below the directories named.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/result.h"

namespace coldread::cli {

// Files are taken as they are, directories recursively with all *.json except JSON Schemas; ordered
// by path, each once. `filter` keeps the paths it is part of or, with any of *?[, matches as a
// glob. Without paths: see default_scenarios().
Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths,
                                                const std::string& filter);

// `scenarios` below the current directory, or what was installed with the program, or what lies
// beside the build directory the program is in.
Result<std::string> default_scenarios();

bool matches_filter(const std::string& path, const std::string& filter);

// Where files made by the build lie (the EROFS image), as seen from the program; may not exist.
std::vector<std::string> made_blob_directories();

}  // namespace coldread::cli
