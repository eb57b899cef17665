// From a scenario file to a Scenario, or to one sentence that says what is wrong with it.
//
// Errors read "FILE: /json/pointer: expected ..., got ...", or "FILE: line L, column C: ..." where
// the text is not JSON at all. Nothing is ever thrown. Thread rules: free functions, nothing
// shared.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::scenario {

inline constexpr size_t kMaxFileBytes = size_t{16} << 20;  // of a scenario's own text

struct LoadOptions {
  // Where a blob's "file" is looked for after the scenario's own directory.
  std::vector<std::filesystem::path> blob_directories;
  uint64_t max_blob_bytes = kMaxBlobBytes;  // of all blobs together
  // The profiles that "kernels" may name; empty: any name.
  std::vector<std::string> known_kernels;
};

// A blob whose file is nowhere is not an error: Scenario::unavailable says so.
Result<Scenario> load_file(const std::filesystem::path& path, const LoadOptions& options = {});

// `name` stands for the file in errors; its directory is the one blobs are looked for first.
Result<Scenario> load_text(const std::string& name, std::string_view text,
                           const LoadOptions& options = {});

}  // namespace coldread::scenario
