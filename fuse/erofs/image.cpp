// Mounting: the superblock, the device table, the root; and reading metadata.
#include "fuse/erofs/image.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <cerrno>

namespace coldread::erofs {
namespace {

constexpr uint32_t kKnownFeatures = 0x3f;  // besides xattr prefixes
constexpr unsigned kPageBits = 12;

// As crc32c(~0, ...) of the kernel, which does not invert the result.
uint32_t crc32c(std::span<const std::byte> bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

// From the superblock to the end of its block, or as much as a block if those are smaller.
uint32_t checksum_of(std::span<const std::byte> page, unsigned block_bits) {
  size_t length = size_t{1} << block_bits;
  if (length > EROFS_SUPER_OFFSET) length -= EROFS_SUPER_OFFSET;
  const auto bytes = page.subspan(EROFS_SUPER_OFFSET, length);
  std::vector<std::byte> block(bytes.begin(), bytes.end());
  std::fill_n(block.begin() + offsetof(erofs_super_block, checksum), 4, std::byte{0});
  return crc32c(block);
}

}  // namespace

int Image::corrupted(const std::string& text) const {
  source_.log_error(text);
  return -EUCLEAN;
}

// --- metadata -----------------------------------------------------------------------------------

// erofs_bread() of the image itself: what follows `position` within its page. Pages used to be
// asked for by a number of 32 bits.
int Image::metadata(uint64_t position, PageCache::Page* from_there) {
  if (!options_.checks_anew) position = in_first_blocks(position);
  if (position > INT64_MAX - kBlockSize) return -EIO;
  PageCache::Page page;
  const int error = metadata_.get(
      position,
      [this](uint64_t start, std::span<std::byte> out) { return source_.read(0, start, out); },
      &page);
  if (error == 0) *from_there = page.subspan(position % kBlockSize);
  return error;
}

int Image::metadata_bytes(uint64_t position, size_t length, std::string* bytes) {
  bytes->clear();
  while (bytes->size() < length) {
    PageCache::Page page;
    if (const int error = metadata(position + bytes->size(), &page); error != 0) return error;
    const size_t count = std::min(page.size(), length - bytes->size());
    bytes->append(reinterpret_cast<const char*>(page.data()), count);
  }
  return 0;
}

// --- mounting -----------------------------------------------------------------------------------

int Image::check_superblock(std::span<const std::byte> page) {
  super_ = load<erofs_super_block>(page.subspan(EROFS_SUPER_OFFSET));
  if (super_.magic != EROFS_SUPER_MAGIC_V1) {
    source_.log_error("cannot find valid erofs superblock");
    return -EINVAL;
  }
  if (super_.blkszbits < 9 || super_.blkszbits > kPageBits) {
    source_.log_error(fmt::format("blkszbits {} isn't supported", super_.blkszbits));
    return -EINVAL;
  }
  if (super_.dirblkbits != 0) {
    source_.log_error(fmt::format("dirblkbits {} isn't supported", super_.dirblkbits));
    return -EINVAL;
  }
  if ((super_.feature_compat & EROFS_FEATURE_COMPAT_SB_CHKSUM) != 0 &&
      checksum_of(page, super_.blkszbits) != super_.checksum) {
    source_.log_error(fmt::format("invalid checksum 0x{:08x}, 0x{:08x} expected",
                                  checksum_of(page, super_.blkszbits), super_.checksum));
    return -EBADMSG;
  }
  const uint32_t known =
      kKnownFeatures | (options_.knows_xattr_prefixes ? EROFS_FEATURE_INCOMPAT_XATTR_PREFIXES : 0);
  if (const uint32_t unknown = super_.feature_incompat & ~known; unknown != 0) {
    source_.log_error(fmt::format("unidentified incompatible feature {:x}, please upgrade kernel{}",
                                  unknown, options_.checks_anew ? "" : " version"));
    return -EINVAL;
  }
  const unsigned size = sizeof(super_) + super_.sb_extslots * 16U;
  if (size > kBlockSize - EROFS_SUPER_OFFSET) {
    source_.log_error(fmt::format("invalid sb_extslots {} (more than a fs block)", size));
    return -EINVAL;
  }
  if (std::ranges::find(super_.volume_name, 0) == std::end(super_.volume_name))
    return corrupted("bad volume name without NIL terminator");
  return check_algorithms();
}

// z_erofs_parse_cfgs(), as far as it looks at which there are.
int Image::check_algorithms() const {
  if ((super_.feature_incompat & EROFS_FEATURE_INCOMPAT_COMPR_CFGS) == 0) return 0;
  const unsigned known = options_.checks_anew ? 0xf : 0x3;  // zstd and deflate came last
  const unsigned unknown = super_.available_compr_algs & ~known;
  if (unknown == 0) return 0;
  source_.log_error(fmt::format("unidentified algorithms {:x}, please upgrade kernel", unknown));
  return -EOPNOTSUPP;
}

// erofs_scan_devices()
int Image::scan_devices() {
  total_blocks_ = super_.blocks;
  const bool table = (super_.feature_incompat & EROFS_FEATURE_INCOMPAT_DEVICE_TABLE) != 0;
  const size_t on_disk = table ? super_.extra_devices : 0;
  const size_t given = options_.devices.size();
  if (given != 0 && given != on_disk) {
    source_.log_error(
        fmt::format("extra devices don't match (ondisk {}, given {})", on_disk, given));
    return -EINVAL;
  }
  device_mask_ = static_cast<unsigned>(std::bit_ceil(on_disk + 1) - 1);
  uint64_t position = super_.devt_slotoff * sizeof(erofs_deviceslot);
  for (size_t i = 0; i < on_disk; i++, position += sizeof(erofs_deviceslot)) {
    erofs_deviceslot slot{};
    if (const int error = metadata_at(position, &slot); error != 0) return error;
    const auto* tag = reinterpret_cast<const char*>(slot.tag);
    const std::string name =
        given != 0 ? options_.devices[i] : std::string(tag, strnlen(tag, sizeof(slot.tag)));
    if (given == 0 && name.empty()) {
      source_.log_error(fmt::format("empty device tag @ pos {}", position));
      return -EINVAL;
    }
    if (const int error = source_.add_device(name); error != 0) return error;
    devices_.push_back({slot.mapped_blkaddr * kBlockSize, slot.blocks * kBlockSize});
    total_blocks_ += slot.blocks;
  }
  return 0;
}

// erofs_xattr_prefixes_init(): each is its length, in two bytes, a base prefix and the rest.
int Image::read_prefixes() {
  if (super_.xattr_prefix_count == 0 || !options_.knows_xattr_prefixes) return 0;
  if ((super_.feature_incompat & EROFS_FEATURE_INCOMPAT_FRAGMENTS) != 0 && super_.packed_nid != 0) {
    source_.log_error("xattr prefixes in a packed inode: not supported here");
    return -EOPNOTSUPP;
  }
  uint64_t position = uint64_t{super_.xattr_prefix_start} * 4;
  for (unsigned i = 0; i < super_.xattr_prefix_count; i++) {
    position = (position + 3) / 4 * 4;
    uint16_t length = 0;
    if (const int error = metadata_at(position, &length); error != 0) return error;
    if (length == 0 || length > EROFS_NAME_LEN + 1) return -EUCLEAN;
    std::string text;
    if (const int error = metadata_bytes(position + 2, length, &text); error != 0) return error;
    prefixes_.push_back({static_cast<uint8_t>(text[0]), text.substr(1)});
    position += 2U + length;
  }
  return 0;
}

int Image::open() {
  PageCache::Page page;
  if (const int error = metadata(0, &page); error != 0) {
    source_.log_error("cannot read erofs superblock");
    return error;
  }
  if (const int error = check_superblock(page); error != 0) return error;
  const int scanned = scan_devices();
  if (!options_.warning.empty()) source_.log_info(options_.warning);
  if (scanned != 0) return scanned;
  if (super_.blkszbits != kPageBits) {
    source_.log_mount_error("unsupported blksize for fscache mode");
    return -EINVAL;
  }
  if (const int error = inode(super_.root_nid, &root_); error != 0) return error;
  if (!S_ISDIR(root_->mode)) {
    source_.log_error(fmt::format("rootino(nid {}) is not a directory(i_mode {:o})",
                                  super_.root_nid, root_->mode));
    return -EINVAL;
  }
  if (const int error = read_prefixes(); error != 0) return error;
  source_.log_info(fmt::format("mounted with root inode @ nid {}.", super_.root_nid));
  return 0;
}

}  // namespace coldread::erofs
