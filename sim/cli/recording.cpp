#include "sim/cli/recording.h"

#include <fmt/core.h>

#include <cstring>

namespace coldread::cli {

Recording::Recording(const std::string& path, const std::string& kernel, uint64_t realtime)
    : path_(path) {
  if (path.empty()) return;
  auto recorder =
      fuse::Recorder::create(path, {kernel, std::string("coldread ") + COLDREAD_VERSION, realtime});
  if (recorder)
    recorder_ = std::move(*recorder);
  else
    error_ = recorder.error();
}

void Recording::complain_of_gaps() const {
  if (recorder_ == nullptr || recorder_->trouble() == 0) return;
  fmt::print(stderr, "coldread: {}: the recording is not complete: {}\n", path_,
             std::strerror(recorder_->trouble()));
}

}  // namespace coldread::cli
