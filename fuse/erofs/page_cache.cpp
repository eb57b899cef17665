#include "fuse/erofs/page_cache.h"

namespace coldread::erofs {

int PageCache::get(uint64_t position, const Fill& fill, Page* page) {
  const uint64_t index = position / kBlockSize;
  Slot& slot = slots_[index];
  if (slot.locked) source_.wait_until([&slot] { return !slot.locked; });
  if (!slot.filled) {
    if (!slot.memory) slot.memory = std::make_unique<Memory>();
    slot.locked = true;
    const int error = fill(index * kBlockSize, slot.memory->bytes);
    slot.locked = false;
    slot.filled = error == 0;
    source_.changed();
    if (error != 0) return error;
  }
  *page = slot.memory->bytes;
  return 0;
}

}  // namespace coldread::erofs
