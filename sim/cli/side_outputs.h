// The files a run writes beside its report: --trace FILE and --transcripts DIR.
#pragma once

#include <optional>
#include <string>

#include "sim/cli/outcome.h"
#include "sim/cli/output_file.h"
#include "sim/cli/run_request.h"
#include "sim/result.h"

namespace coldread::cli {

class SideOutputs {
 public:
  static Result<SideOutputs> create(const RunRequest& request);

  // In order of the report. Transcripts are complete when this returns; the trace only after
  // finish(), and if that is never called or fails nothing of it remains.
  Status add(const Outcome& outcome);
  Status finish();

 private:
  SideOutputs() = default;
  std::string transcripts_;
  std::optional<OutputFile> trace_;
};

}  // namespace coldread::cli
