#include "fuse/erofs/page_cache.h"

namespace coldread::erofs {

int PageCache::get(uint64_t position, const Fill& fill, Page* page) {
  const uint64_t index = position / kBlockSize;
  Slot& slot = slots_[index];
  if (slot.locked) source_.wait_until([&slot] { return !slot.locked; });
  if (!slot.filled) {
    if (!slot.bytes) slot.bytes = std::make_unique<std::byte[]>(kBlockSize);
    slot.locked = true;
    const int error = fill(index * kBlockSize, {slot.bytes.get(), kBlockSize});
    slot.locked = false;
    slot.filled = error == 0;
    source_.changed();
    if (error != 0) return error;
  }
  *page = {slot.bytes.get(), kBlockSize};
  return 0;
}

}  // namespace coldread::erofs
