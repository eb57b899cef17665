// The contents of one regular file: sparse, allocated in blocks, and for each sector whether
// somebody wrote it.
//
// Offsets and lengths are bytes. Bytes of an allocated block that nobody wrote, and those behind
// the end of the file, are kept zero, so growing a file never shows what was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/store/block_pool.h"

namespace coldread::sim {

// s_maxbytes of ext4 with 4096-byte blocks: block numbers are 32 bits, and the last one is unused.
inline constexpr uint64_t kMaxFileSize = ((uint64_t{1} << 32) - 1) * kBlockSize;

struct Extent {
  uint64_t from = 0;
  uint64_t to = 0;  // exclusive
  bool operator==(const Extent&) const = default;
};

// Lifetime: the pool outlives the file. Ranges never reach beyond kMaxFileSize.
class FileData {
 public:
  explicit FileData(BlockPool& pool) : pool_(&pool) {}
  ~FileData() { punch(0, kMaxFileSize); }
  FileData(const FileData&) = delete;
  FileData& operator=(const FileData&) = delete;

  uint64_t size() const { return size_; }

  // Frees what lies behind `size`; allocates nothing.
  void truncate(uint64_t size);

  // Frees the blocks that lie wholly in [from, to) and zeroes the rest of the range. A range that
  // reaches the end of the file takes the file's last block too.
  void punch_hole(uint64_t from, uint64_t to);

  // Zeroes what is allocated of [from, to): whole blocks become holes, parts of one stay data.
  void zero(uint64_t from, uint64_t to);

  uint64_t allocated_blocks() const;

  // The first offset >= `offset` in an allocated block / in a hole, the end of the file being one;
  // -ENXIO at or behind the end, and if there is no more data.
  int64_t seek_data(uint64_t offset) const;
  int64_t seek_hole(uint64_t offset) const;

  // Bytes copied: fewer than asked for only at the end of the file.
  size_t read(uint64_t offset, std::span<std::byte> data) const;

  // All of `data`, growing the file, or false if the pool has not enough blocks.
  bool write(uint64_t offset, std::span<const std::byte> data);

  // Whether every sector of the range has a byte that was written.
  bool was_written(uint64_t offset, uint64_t length) const;

  // What seek_data() and seek_hole() find, from the beginning.
  std::vector<Extent> extents() const;

 private:
  static constexpr uint64_t kChunksPerLeaf = 32;
  static constexpr uint64_t kSectorWords = kChunkSize / kSectorSize / 64;

  struct Chunk {
    uint32_t allocated = 0;               // a bit for each block
    uint64_t written[kSectorWords] = {};  // a bit for each sector
    std::byte* data = nullptr;            // null if and only if nothing is allocated
  };
  // Chunks of one stretch of the file, with the answers a seek needs about them side by side.
  struct Leaf {
    uint64_t index = 0;     // of the stretch
    uint32_t occupied = 0;  // chunks with any block
    uint32_t full = 0;      // chunks with every block
    std::unique_ptr<Chunk[]> chunks;
  };

  size_t leaf_at_or_after(uint64_t index) const;
  const Chunk* find_chunk(uint64_t chunk_index) const;
  Leaf& make_leaf(uint64_t index);

  uint64_t missing_blocks(uint64_t from, uint64_t to) const;
  void write_chunk(uint64_t chunk_index, uint64_t from, std::span<const std::byte> data);
  static void read_chunk(const Chunk* chunk, uint64_t from, std::span<std::byte> data);
  void punch(uint64_t from, uint64_t to);
  void punch_chunk(Leaf& leaf, uint64_t slot, uint64_t from, uint64_t to);

  BlockPool* pool_;
  uint64_t size_ = 0;
  std::vector<Leaf> leaves_;  // by index; never removed but by truncate to 0
};

}  // namespace coldread::sim
