// A name for each transcript that stays below its directory whatever the scenario's path is.
#include "sim/cli/transcript_files.h"

#include <fmt/core.h>

#include <filesystem>

#include "sim/cli/output_file.h"

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

fs::path below(const std::string& directory, const Outcome& outcome) {
  fs::path out = directory;
  for (const fs::path& part : fs::path(outcome.path).lexically_normal().relative_path()) {
    if (part == "..") continue;
    out /= part;
  }
  out.replace_extension();
  out += fmt::format(".{}.json", outcome.profile);
  return out;
}

}  // namespace

Status write_transcript(const std::string& directory, const Outcome& outcome) {
  const fs::path path = below(directory, outcome);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return Error{fmt::format("--transcripts {}: {}", directory, error.message())};
  const std::string text =
      outcome.transcript->to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  Status written = write_file(path.string(), text + "\n");
  return written ? Status(Nothing{}) : Error{"--transcripts " + written.error()};
}

}  // namespace coldread::cli
