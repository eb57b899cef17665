#include "sim/store/block_pool.h"

#include <algorithm>

namespace coldread::sim {

// Slabs double up to 4 MiB: a short run asks for little, a long one makes few mappings, and pages
// that no block ever uses are never touched.
void BlockPool::add_slab() {
  slabs_.push_back(std::make_unique_for_overwrite<std::byte[]>(slab_chunks_ * kChunkSize));
  std::byte* slab = slabs_.back().get();
  for (uint64_t i = slab_chunks_; i-- > 0;) chunks_.push_back(slab + i * kChunkSize);
  slab_chunks_ = std::min<uint64_t>(2 * slab_chunks_, 32);
}

}  // namespace coldread::sim
