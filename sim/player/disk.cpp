// What somebody else does to the cache's disk, and reads in /proc.
#include <algorithm>

#include "sim/player/player.h"

namespace coldread::player {

int64_t TaskPlayer::do_disk(const scenario::Step& step) {
  if (step.blob >= 0)
    load_blob(step.blob, step.blob_offset, step.length);
  else
    buffer_.get(0);
  const bool look = step.disk.operation == scenario::DiskOperation::look;
  const int64_t ret = syscalls_.disk(process_.cache_directory, step.disk, buffer_.current(),
                                     look ? &entry_ : nullptr);
  if (look && ret >= 0) notes_.value("entry", entry_);
  return ret;
}

// How long the LRU timer has still to run is a matter of when one looks: at=*.
int64_t TaskPlayer::do_proc(const scenario::Step& step) {
  const int64_t ret = syscalls_.proc(step.proc_file, &text_);
  if (ret < 0) return ret;
  nlohmann::json lines = nlohmann::json::array();
  for (size_t from = 0; from < text_.size();) {
    const size_t end = std::min(text_.find('\n', from), text_.size());
    std::string line = text_.substr(from, end - from);
    const size_t at = line.find(" at=");
    if (line.starts_with("LRU ") && at != line.npos && !line.ends_with(" at=0"))
      line.replace(at, line.npos, " at=*");
    lines.push_back(std::move(line));
    from = end + 1;
  }
  notes_.value("lines", lines);
  return ret;
}

}  // namespace coldread::player
