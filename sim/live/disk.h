// What a cache left on its disk, as a transcript says it.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

#include "sim/result.h"

namespace coldread::live {

// Describes the cache in `directory` (what the command "dir" named): Transcript::disk.
// clang-format off
//   "cache/I<volume>"              {"type": "directory", "mode": "0700", "xattr": hex,
//                                  "fanout": 256}
//   "cache/I<volume>/@dd/D<name>"  {"type": "file", "mode", "size", "xattr",
//                                  "data": [[from, to]...]}
//   "graveyard"                    {"entries": how many lie in it}
// clang-format on
// "xattr" is user.CacheFiles.cache, null where there is none; whatever else is found is described
// by its type ("directory", "file" or "other"). A directory without a cache gives {}.
Result<nlohmann::json> describe_disk(const std::filesystem::path& directory);

// One entry like those, symbolic links not followed; of a directory, how many "entries" it has.
Result<nlohmann::json> describe_path(const std::filesystem::path& path);

}  // namespace coldread::live
