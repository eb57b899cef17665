#include "sim/cli/side_outputs.h"

#include <fmt/core.h>

#include <filesystem>

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

// DIR/path/of/scenario.PROFILE.json: below its directory whatever the scenario's path is.
fs::path transcript_path(const std::string& directory, const Outcome& outcome) {
  fs::path path = directory;
  for (const fs::path& part : fs::path(outcome.path).lexically_normal().relative_path()) {
    if (part != "..") path /= part;
  }
  path.replace_extension();
  path += fmt::format(".{}.json", outcome.profile);
  return path;
}

Status write_transcript(const std::string& directory, const Outcome& outcome) {
  const fs::path path = transcript_path(directory, outcome);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) return Error{fmt::format("--transcripts {}: {}", directory, error.message())};
  const std::string text =
      outcome.transcript->to_json().dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  Status written = write_file(path.string(), text + "\n");
  return written ? written : Error{"--transcripts " + written.error()};
}

}  // namespace

Result<SideOutputs> SideOutputs::create(const RunRequest& request) {
  SideOutputs outputs;
  outputs.transcripts_ = request.transcripts;
  if (!request.trace.empty()) {
    Result<OutputFile> trace = OutputFile::create(request.trace);
    if (!trace) return Error{"--trace " + trace.error()};
    outputs.trace_.emplace(std::move(*trace));
    outputs.trace_->write("# tracer: nop\n#\n");
  }
  return outputs;
}

Status SideOutputs::add(const Outcome& outcome) {
  if (!outcome.transcript) return Nothing{};
  if (trace_) {
    trace_->write(fmt::format("# {} {}\n", outcome.path, outcome.profile));
    for (const std::string& line : outcome.trace) trace_->write(line + "\n");
  }
  return transcripts_.empty() ? Nothing{} : write_transcript(transcripts_, outcome);
}

Status SideOutputs::finish() {
  if (!trace_) return Nothing{};
  Status written = trace_->commit();
  return written ? written : Error{"--trace " + written.error()};
}

}  // namespace coldread::cli
