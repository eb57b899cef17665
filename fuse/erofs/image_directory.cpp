// Directories: blocks of sorted names, searched by halves as erofs_namei() does, since each block
// that is looked at may have to be fetched.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "fuse/erofs/image.h"

namespace coldread::erofs {
namespace {

erofs_dirent entry_at(PageCache::Page block, size_t index) {
  return load<erofs_dirent>(block.subspan(index * sizeof(erofs_dirent)));
}

uint64_t nid_of(const erofs_dirent& entry) {
  return entry.nid_low | uint64_t{entry.nid_high} << 32;
}

// The name of an entry as a search sees it: up to the next entry's name or a NUL. Offsets that make
// no sense give an empty name.
std::string_view name_at(PageCache::Page block, size_t index, size_t entries) {
  const size_t from = entry_at(block, index).nameoff % kBlockSize;
  const size_t to =
      index + 1 < entries ? entry_at(block, index + 1).nameoff % kBlockSize : kBlockSize;
  if (from >= to) return {};
  const auto* text = reinterpret_cast<const char*>(block.data()) + from;
  return {text, strnlen(text, to - from)};
}

}  // namespace

int Image::lookup(Inode& directory, std::string_view name, uint64_t* nid) {
  if (name.size() > EROFS_NAME_LEN) return -ENAMETOOLONG;
  // The last block whose first name is not behind the one wanted.
  int64_t head = 0;
  auto back = static_cast<int64_t>((directory.size + kBlockSize - 1) / kBlockSize) - 1;
  PageCache::Page candidate;
  size_t candidate_entries = 0;
  while (head <= back) {
    const int64_t middle = head + (back - head) / 2;
    PageCache::Page block;
    const int error = page_of(directory, static_cast<uint64_t>(middle) * kBlockSize, &block);
    if (error != 0) return error;
    const size_t entries = entry_at(block, 0).nameoff % kBlockSize / sizeof(erofs_dirent);
    if (entries == 0)
      return corrupted(fmt::format("corrupted dir block {} @ nid {}", middle, directory.nid));
    const int order = name.compare(name_at(block, 0, entries));
    if (order == 0) {
      *nid = nid_of(entry_at(block, 0));
      return 0;
    }
    if (order < 0) {
      back = middle - 1;
    } else {
      head = middle + 1;
      candidate = block;
      candidate_entries = entries;
    }
  }
  size_t low = 1, high = candidate_entries;
  while (low < high) {
    const size_t middle = low + (high - 1 - low) / 2;
    const int order = name.compare(name_at(candidate, middle, candidate_entries));
    if (order == 0) {
      *nid = nid_of(entry_at(candidate, middle));
      return 0;
    }
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return -ENOENT;
}

int Image::list(Inode& directory, uint64_t position,
                const std::function<bool(const DirectoryEntry&)>& take) {
  constexpr size_t kEntry = sizeof(erofs_dirent);
  while (position < directory.size) {
    const uint64_t start = position / kBlockSize * kBlockSize;
    PageCache::Page block;
    if (const int error = page_of(directory, start, &block); error != 0) return error;
    const size_t names = entry_at(block, 0).nameoff;
    if (names == 0 || names >= kBlockSize || names % kEntry != 0)
      return corrupted(fmt::format("invalid de[0].nameoff {} @ nid {}", names, directory.nid));
    const auto end = static_cast<size_t>(std::min(directory.size - start, kBlockSize));
    const size_t entries = names / kEntry;
    for (size_t i = (position - start + kEntry - 1) / kEntry; i < entries; i++) {
      const erofs_dirent entry = entry_at(block, i);
      const auto* text = reinterpret_cast<const char*>(block.data()) + entry.nameoff;
      size_t length = 0;
      if (i + 1 < entries)
        length = entry_at(block, i + 1).nameoff - size_t{entry.nameoff};
      else if (entry.nameoff < end)
        length = strnlen(text, end - entry.nameoff);
      if (length == 0 || length > EROFS_NAME_LEN || entry.nameoff + length > end)
        return corrupted(fmt::format("bogus dirent @ nid {}", directory.nid));
      // Types on disk are those of <dirent.h> by another order.
      constexpr uint8_t kTypes[] = {0, 8, 4, 2, 6, 1, 12, 10};
      const uint8_t type = entry.file_type < std::size(kTypes) ? kTypes[entry.file_type] : 0;
      const uint64_t next = i + 1 < entries ? start + (i + 1) * kEntry : start + end;
      if (!take({{text, length}, nid_of(entry), type, next})) return 0;
    }
    position = start + end;
  }
  return 0;
}

}  // namespace coldread::erofs
