#include "sim/store/file_data.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace coldread::sim {
namespace {

constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

// Bits [from, to) of a word; 0 <= from, to <= its width. Empty if from >= to.
template <typename Word>
constexpr Word bits(uint64_t from, uint64_t to) {
  if (from >= to) return 0;
  constexpr uint64_t width = sizeof(Word) * 8;
  const Word all = static_cast<Word>(~Word{0});
  return static_cast<Word>((all << from) & (all >> (width - to)));
}

// The blocks touched by [from, to), offsets in a chunk.
constexpr uint32_t touched_blocks(uint64_t from, uint64_t to) {
  return bits<uint32_t>(from / kBlockSize, (to + kBlockSize - 1) / kBlockSize);
}

// Calls fn(word, mask) for each word of a sector bitmap that sectors [from, to) lie in.
template <typename Fn>
void for_sectors(uint64_t from, uint64_t to, Fn fn) {
  while (from < to) {
    const uint64_t word = from / 64;
    const uint64_t end = std::min(to, (word + 1) * 64);
    fn(word, bits<uint64_t>(from - word * 64, end - word * 64));
    from = end;
  }
}

// Calls fn(chunk index, from, to) with offsets in the chunk for each chunk of [from, to).
template <typename Fn>
void for_chunks(uint64_t from, uint64_t to, Fn fn) {
  while (from < to) {
    const uint64_t index = from / kChunkSize;
    const uint64_t start = index * kChunkSize;
    const uint64_t end = std::min(to, start + kChunkSize);
    fn(index, from - start, end - start);
    from = end;
  }
}

}  // namespace

// Files are mostly dense, and then a leaf's place is its index.
size_t FileData::leaf_at_or_after(uint64_t index) const {
  if (index < leaves_.size() && leaves_[index].index == index) return index;
  return static_cast<size_t>(
      std::lower_bound(leaves_.begin(), leaves_.end(), index,
                       [](const Leaf& leaf, uint64_t i) { return leaf.index < i; }) -
      leaves_.begin());
}

const FileData::Chunk* FileData::find_chunk(uint64_t chunk_index) const {
  const uint64_t index = chunk_index / kChunksPerLeaf;
  const size_t place = leaf_at_or_after(index);
  if (place == leaves_.size() || leaves_[place].index != index) return nullptr;
  return &leaves_[place].chunks[chunk_index % kChunksPerLeaf];
}

FileData::Leaf& FileData::make_leaf(uint64_t index) {
  const size_t place = leaf_at_or_after(index);
  if (place < leaves_.size() && leaves_[place].index == index) return leaves_[place];
  Leaf leaf;
  leaf.index = index;
  leaf.chunks = std::make_unique<Chunk[]>(kChunksPerLeaf);
  return *leaves_.insert(leaves_.begin() + static_cast<ptrdiff_t>(place), std::move(leaf));
}

void FileData::truncate(uint64_t size) {
  if (size < size_) punch(size, kMaxFileSize);
  if (size == 0) leaves_.clear();
  size_ = size;
}

void FileData::punch_hole(uint64_t from, uint64_t to) {
  if (from >= size_) return;
  punch(from, to > size_ ? round_up(size_, kBlockSize) : to);
}

void FileData::zero(uint64_t from, uint64_t to) {
  const auto zero_part = [&](uint64_t begin, uint64_t end) {
    const Chunk* chunk = begin < end ? find_chunk(begin / kChunkSize) : nullptr;
    if (chunk != nullptr && chunk->data != nullptr) {
      std::memset(chunk->data + begin % kChunkSize, 0, end - begin);
    }
  };
  const uint64_t first_block = round_up(from, kBlockSize);
  const uint64_t last_block = to / kBlockSize * kBlockSize;
  if (first_block > last_block) return zero_part(from, to);
  zero_part(from, first_block);
  punch(first_block, last_block);
  zero_part(last_block, to);
}

uint64_t FileData::allocated_blocks() const {
  uint64_t blocks = 0;
  for (const Leaf& leaf : leaves_) {
    for (uint64_t slot = 0; slot < kChunksPerLeaf; ++slot) {
      blocks += static_cast<uint64_t>(std::popcount(leaf.chunks[slot].allocated));
    }
  }
  return blocks;
}

void FileData::punch(uint64_t from, uint64_t to) {
  constexpr uint64_t kLeafSize = kChunksPerLeaf * kChunkSize;
  for (size_t i = leaf_at_or_after(from / kLeafSize); i < leaves_.size(); ++i) {
    Leaf& leaf = leaves_[i];
    const uint64_t start = leaf.index * kLeafSize;
    if (start >= to) return;
    for (uint32_t left = leaf.occupied; left != 0; left &= left - 1) {
      const auto slot = static_cast<uint64_t>(std::countr_zero(left));
      const uint64_t begin = start + slot * kChunkSize;
      if (begin < to && begin + kChunkSize > from)
        punch_chunk(leaf, slot, std::max(from, begin) - begin,
                    std::min(to, begin + kChunkSize) - begin);
    }
  }
}

void FileData::punch_chunk(Leaf& leaf, uint64_t slot, uint64_t from, uint64_t to) {
  Chunk& chunk = leaf.chunks[slot];
  const uint32_t whole = bits<uint32_t>(round_up(from, kBlockSize) / kBlockSize, to / kBlockSize);
  const uint32_t freed = chunk.allocated & whole;
  for (uint32_t partial = chunk.allocated & touched_blocks(from, to) & ~whole; partial != 0;
       partial &= partial - 1) {
    const uint64_t begin = static_cast<uint64_t>(std::countr_zero(partial)) * kBlockSize;
    const uint64_t zero_from = std::max(from, begin);
    std::memset(chunk.data + zero_from, 0, std::min(to, begin + kBlockSize) - zero_from);
  }
  for_sectors(round_up(from, kSectorSize) / kSectorSize, to / kSectorSize,
              [&](uint64_t word, uint64_t mask) { chunk.written[word] &= ~mask; });
  if (freed == 0) return;

  chunk.allocated &= ~freed;
  pool_->give_blocks(static_cast<uint64_t>(std::popcount(freed)));
  const uint32_t bit = uint32_t{1} << slot;
  leaf.full &= ~bit;
  if (chunk.allocated == 0) {
    leaf.occupied &= ~bit;
    pool_->give_chunk(chunk.data);
    chunk.data = nullptr;
  }
}

int64_t FileData::seek_data(uint64_t offset) const {
  if (offset >= size_) return -ENXIO;
  const uint64_t chunk_index = offset / kChunkSize;
  const uint64_t leaf_index = chunk_index / kChunksPerLeaf;
  for (size_t i = leaf_at_or_after(leaf_index); i < leaves_.size(); ++i) {
    const Leaf& leaf = leaves_[i];
    uint32_t candidates = leaf.occupied;
    uint32_t first = ~uint32_t{0};  // blocks that count in the chunk where the search begins
    if (leaf.index == leaf_index) {
      candidates &= ~uint32_t{0} << (chunk_index % kChunksPerLeaf);
      first <<= offset % kChunkSize / kBlockSize;
    }
    for (; candidates != 0; candidates &= candidates - 1) {
      const auto slot = static_cast<uint64_t>(std::countr_zero(candidates));
      const uint64_t index = leaf.index * kChunksPerLeaf + slot;
      const uint32_t blocks = leaf.chunks[slot].allocated & (index == chunk_index ? first : ~0U);
      if (blocks == 0) continue;
      const auto block = static_cast<uint64_t>(std::countr_zero(blocks));
      return static_cast<int64_t>(std::max(offset, index * kChunkSize + block * kBlockSize));
    }
  }
  return -ENXIO;
}

int64_t FileData::seek_hole(uint64_t offset) const {
  if (offset >= size_) return -ENXIO;
  uint64_t chunk_index = offset / kChunkSize;
  uint32_t mask = ~uint32_t{0} << (offset % kChunkSize / kBlockSize);
  uint64_t hole = 0;
  for (size_t i = leaf_at_or_after(chunk_index / kChunksPerLeaf);; ++i) {
    const uint64_t slot = chunk_index % kChunksPerLeaf;
    hole = chunk_index * kChunkSize;
    if (i == leaves_.size() || leaves_[i].index != chunk_index / kChunksPerLeaf) break;
    const Leaf& leaf = leaves_[i];
    if (const uint32_t holes = ~leaf.chunks[slot].allocated & mask; holes != 0) {
      hole += static_cast<uint64_t>(std::countr_zero(holes)) * kBlockSize;
      break;
    }
    mask = ~uint32_t{0};
    const uint32_t later = ~leaf.full & bits<uint32_t>(slot + 1, kChunksPerLeaf);
    if (later != 0) {
      const auto next = static_cast<uint64_t>(std::countr_zero(later));
      hole = (leaf.index * kChunksPerLeaf + next) * kChunkSize;
      hole += static_cast<uint64_t>(std::countr_one(leaf.chunks[next].allocated)) * kBlockSize;
      break;
    }
    chunk_index = (leaf.index + 1) * kChunksPerLeaf;
  }
  return static_cast<int64_t>(std::min(size_, std::max(offset, hole)));
}

size_t FileData::read(uint64_t offset, std::span<std::byte> data) const {
  if (offset >= size_) return 0;
  data = data.first(std::min<uint64_t>(data.size(), size_ - offset));
  for_chunks(offset, offset + data.size(), [&](uint64_t index, uint64_t from, uint64_t to) {
    read_chunk(find_chunk(index), from,
               data.subspan(index * kChunkSize + from - offset, to - from));
  });
  return data.size();
}

void FileData::read_chunk(const Chunk* chunk, uint64_t from, std::span<std::byte> data) {
  const uint64_t to = from + data.size();
  const uint32_t asked = touched_blocks(from, to);
  const uint32_t present = chunk == nullptr ? 0 : chunk->allocated & asked;
  if (present == asked) {
    std::memcpy(data.data(), chunk->data + from, data.size());
    return;
  }
  if (present == 0) {
    std::memset(data.data(), 0, data.size());
    return;
  }
  for (uint64_t begin = from; begin < to;) {
    const uint64_t block = begin / kBlockSize;
    const uint64_t end = std::min(to, (block + 1) * kBlockSize);
    if ((present >> block & 1) != 0)
      std::memcpy(data.data() + (begin - from), chunk->data + begin, end - begin);
    else
      std::memset(data.data() + (begin - from), 0, end - begin);
    begin = end;
  }
}

uint64_t FileData::missing_blocks(uint64_t from, uint64_t to) const {
  uint64_t missing = 0;
  for_chunks(from, to, [&](uint64_t index, uint64_t begin, uint64_t end) {
    const Chunk* chunk = find_chunk(index);
    const uint32_t wanted = touched_blocks(begin, end);
    missing += static_cast<uint64_t>(
        std::popcount(chunk == nullptr ? wanted : wanted & ~chunk->allocated));
  });
  return missing;
}

bool FileData::write(uint64_t offset, std::span<const std::byte> data) {
  if (data.empty()) return true;
  const uint64_t end = offset + data.size();
  if (!pool_->take_blocks(missing_blocks(offset, end))) return false;
  for_chunks(offset, end, [&](uint64_t index, uint64_t from, uint64_t to) {
    write_chunk(index, from, data.subspan(index * kChunkSize + from - offset, to - from));
  });
  size_ = std::max(size_, end);
  return true;
}

void FileData::write_chunk(uint64_t chunk_index, uint64_t from, std::span<const std::byte> data) {
  Leaf& leaf = make_leaf(chunk_index / kChunksPerLeaf);
  const uint64_t slot = chunk_index % kChunksPerLeaf;
  Chunk& chunk = leaf.chunks[slot];
  if (chunk.data == nullptr) chunk.data = pool_->take_chunk();

  const uint64_t to = from + data.size();
  const uint32_t touched = touched_blocks(from, to);
  const uint32_t added = touched & ~chunk.allocated;
  if (added != 0) {
    const uint64_t head = from / kBlockSize;
    const uint64_t tail = (to - 1) / kBlockSize;
    if ((added >> head & 1) != 0)
      std::memset(chunk.data + head * kBlockSize, 0, from - head * kBlockSize);
    if ((added >> tail & 1) != 0) std::memset(chunk.data + to, 0, (tail + 1) * kBlockSize - to);
    chunk.allocated |= added;
    const uint32_t bit = uint32_t{1} << slot;
    leaf.occupied |= bit;
    if (chunk.allocated == ~uint32_t{0}) leaf.full |= bit;
  }
  std::memcpy(chunk.data + from, data.data(), data.size());
  for_sectors(from / kSectorSize, (to + kSectorSize - 1) / kSectorSize,
              [&](uint64_t word, uint64_t mask) { chunk.written[word] |= mask; });
}

bool FileData::was_written(uint64_t offset, uint64_t length) const {
  bool written = true;
  for_chunks(offset, offset + length, [&](uint64_t index, uint64_t from, uint64_t to) {
    const Chunk* chunk = find_chunk(index);
    for_sectors(from / kSectorSize, (to + kSectorSize - 1) / kSectorSize,
                [&](uint64_t word, uint64_t mask) {
                  if (chunk == nullptr || (chunk->written[word] & mask) != mask) written = false;
                });
  });
  return written;
}

std::vector<Extent> FileData::extents() const {
  std::vector<Extent> found;
  for (int64_t data = seek_data(0); data >= 0;) {
    const auto from = static_cast<uint64_t>(data);
    const auto to = static_cast<uint64_t>(seek_hole(from));
    found.push_back({from, to});
    data = seek_data(to);
  }
  return found;
}

}  // namespace coldread::sim
