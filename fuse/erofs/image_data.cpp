// Data: where a file's bytes are, and reading a window of them.
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "fuse/erofs/image.h"

namespace coldread::erofs {
namespace {

constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

// erofs_map_blocks()
int Image::map(const Inode& inode, uint64_t position, Extent* extent) {
  *extent = {};
  extent->start = position;
  if (position >= inode.size) return 0;
  if (inode.layout == EROFS_INODE_CHUNK_BASED) return map_chunk(inode, position, extent);

  const bool inline_tail = inode.layout == EROFS_INODE_FLAT_INLINE;
  const uint64_t blocks = round_up(inode.size, kBlockSize) / kBlockSize - (inline_tail ? 1 : 0);
  const uint64_t flat_end = blocks * kBlockSize;
  extent->mapped = true;
  if (position < flat_end) {
    extent->start = 0;
    extent->length = flat_end;
    extent->physical = inode.blkaddr * kBlockSize;
    return 0;
  }
  extent->metadata = true;
  extent->length = inode.size - position;
  extent->physical = inode.xattr_start + inode.xattr_size + position % kBlockSize;
  if (extent->physical % kBlockSize + extent->length > kBlockSize)
    return corrupted(fmt::format("inline data {} @ nid {}",
                                 options_.checks_anew ? "across blocks" : "cross block boundary",
                                 inode.nid));
  return 0;
}

// Behind the inode and its attributes: an address, or an index with a device, for each chunk.
int Image::map_chunk(const Inode& inode, uint64_t position, Extent* extent) {
  const uint64_t unit = inode.chunk_indexes ? sizeof(erofs_inode_chunk_index) : sizeof(uint32_t);
  const uint64_t number = position >> inode.chunk_bits;
  const uint64_t table = round_up(inode.xattr_start + inode.xattr_size, unit);
  erofs_inode_chunk_index index{};
  PageCache::Page page;
  if (const int error = metadata(table + unit * number, &page); error != 0) return error;
  if (inode.chunk_indexes)
    index = load<erofs_inode_chunk_index>(page);
  else
    index.blkaddr = load<uint32_t>(page);
  extent->start = number << inode.chunk_bits;
  extent->length =
      std::min(uint64_t{1} << inode.chunk_bits, round_up(inode.size - extent->start, kBlockSize));
  if (index.blkaddr == EROFS_NULL_ADDR) return 0;
  extent->mapped = true;
  extent->device = index.device_id & device_mask_;
  extent->physical = index.blkaddr * kBlockSize;
  return 0;
}

// erofs_map_dev(): addresses of no device may lie in the range of one.
int Image::map_device(const Extent& extent, unsigned* device, uint64_t* physical) {
  *device = extent.device;
  *physical = extent.physical;
  if (extent.device > devices_.size()) return -ENODEV;
  if (extent.device != 0) return 0;
  for (unsigned i = 0; i < devices_.size(); i++) {
    const Device& candidate = devices_[i];
    if (candidate.start == 0 || extent.physical < candidate.start ||
        extent.physical >= candidate.start + candidate.length)
      continue;
    *device = i + 1;
    *physical -= candidate.start;
    break;
  }
  return 0;
}

// As much of `pages` as lies in one extent: erofs_fscache_data_read_slice().
int Image::read_slice(const Inode& inode, uint64_t start, std::span<std::byte> pages,
                      size_t* count) {
  Extent extent;
  if (const int error = map(inode, start, &extent); error != 0) return error;
  if (extent.metadata) {
    PageCache::Page tail;
    if (const int error = metadata(extent.physical, &tail); error != 0) return error;
    std::copy_n(tail.begin(), extent.length, pages.begin());
    std::fill(pages.begin() + static_cast<ptrdiff_t>(extent.length), pages.begin() + kBlockSize,
              std::byte{0});
    *count = kBlockSize;
    return 0;
  }
  if (!extent.mapped) {
    // All of the window, even where data follows the hole: no kernel ever did otherwise.
    std::fill(pages.begin(), pages.end(), std::byte{0});
    *count = pages.size();
    return 0;
  }
  const uint64_t within = start - extent.start;
  *count = std::min<uint64_t>(extent.length - within, pages.size());
  unsigned device = 0;
  uint64_t physical = 0;
  if (const int error = map_device(extent, &device, &physical); error != 0) return error;
  if (physical + within + *count > INT64_MAX) return -EIO;
  const int error = source_.read(device, physical + within, pages.first(*count));
  // Whoever asked for each extent by itself did not wait, and finds the page not up to date.
  return error != 0 && error != -EINTR && options_.one_request_per_extent ? -EIO : error;
}

int Image::read(const Inode& file, uint64_t start, std::span<std::byte> pages) {
  int first_error = 0;
  for (size_t done = 0; done < pages.size();) {
    size_t count = 0;
    const int error = read_slice(file, start + done, pages.subspan(done), &count);
    if (first_error == 0) first_error = error;
    // Of an extent that could not even be found nobody knows the end.
    if (error != 0 && (!options_.one_request_per_extent || count == 0 || error == -EINTR)) break;
    done += count;
  }
  return first_error;
}

// A page of a directory or a link, in the page cache of its inode.
int Image::page_of(Inode& inode, uint64_t position, PageCache::Page* page) {
  return inode.pages.get(
      position,
      [this, &inode](uint64_t start, std::span<std::byte> out) { return read(inode, start, out); },
      page);
}

int Image::read_link(Inode& link, std::string* target) {
  PageCache::Page page;
  if (const int error = page_of(link, 0, &page); error != 0) return error;
  const auto* text = reinterpret_cast<const char*>(page.data());
  target->assign(text, strnlen(text, std::min<uint64_t>(link.size, kBlockSize - 1)));
  return 0;
}

}  // namespace coldread::erofs
