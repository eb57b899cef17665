// The disk behind the in-memory filesystem: how many blocks are left, and the memory that holds
// their contents.
//
// Space is counted in blocks and costs nothing until it is used. Memory comes in chunks of several
// blocks, taken last-in first-out so that a file written and punched over and over stays in the
// processor's cache; it goes back to the system when the pool is destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace coldread::sim {

inline constexpr uint64_t kBlockSize = 4096;  // bytes; what SEEK_DATA and SEEK_HOLE can tell apart
inline constexpr uint64_t kSectorSize = 512;  // bytes; the logical block of O_DIRECT
inline constexpr uint64_t kBlocksPerChunk = 32;
inline constexpr uint64_t kChunkSize = kBlocksPerChunk * kBlockSize;

class BlockPool {
 public:
  explicit BlockPool(uint64_t blocks) : total_(blocks), free_(blocks) {}

  uint64_t total_blocks() const { return total_; }
  uint64_t free_blocks() const { return free_; }

  // All of `blocks` or, with false, none.
  bool take_blocks(uint64_t blocks) {
    if (blocks > free_) return false;
    free_ -= blocks;
    return true;
  }
  void give_blocks(uint64_t blocks) { free_ += blocks; }

  // kChunkSize bytes with undefined contents, owned by the pool.
  std::byte* take_chunk() {
    if (chunks_.empty()) add_slab();
    std::byte* chunk = chunks_.back();
    chunks_.pop_back();
    return chunk;
  }
  void give_chunk(std::byte* chunk) { chunks_.push_back(chunk); }

 private:
  void add_slab();

  uint64_t total_;
  uint64_t free_;
  uint64_t slab_chunks_ = 1;
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::vector<std::byte*> chunks_;
};

}  // namespace coldread::sim
