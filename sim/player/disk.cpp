// What somebody else does to the cache's disk.
#include "sim/player/player.h"

namespace coldread::player {

int64_t TaskPlayer::do_disk(const scenario::Step& step) {
  if (step.blob >= 0)
    load_blob(step.blob, step.blob_offset, step.length);
  else
    buffer_.get(0);
  nlohmann::json* entry = nullptr;
  if (step.disk.operation == scenario::DiskOperation::look) entry = &current()["entry"];
  const int64_t ret = syscalls_.disk(process_.cache_directory, step.disk, buffer_.current(), entry);
  if (entry != nullptr && ret < 0) current().erase("entry");
  return ret;
}

}  // namespace coldread::player
