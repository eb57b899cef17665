// What an EROFS image looks like on disk.
//
// Names, numbers and layouts are those of fs/erofs/erofs_fs.h; everything is little endian, as is
// every machine this is built for. Whatever is loaded from an image may be anything.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace coldread::erofs {

static_assert(std::endian::native == std::endian::little);

inline constexpr uint32_t EROFS_SUPER_MAGIC_V1 = 0xE0F5E1E2;
inline constexpr size_t EROFS_SUPER_OFFSET = 1024;

inline constexpr uint32_t EROFS_FEATURE_COMPAT_SB_CHKSUM = 0x1;

inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_ZERO_PADDING = 0x01;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_COMPR_CFGS = 0x02;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_CHUNKED_FILE = 0x04;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_DEVICE_TABLE = 0x08;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_ZTAILPACKING = 0x10;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_FRAGMENTS = 0x20;
inline constexpr uint32_t EROFS_FEATURE_INCOMPAT_XATTR_PREFIXES = 0x40;

struct erofs_super_block {
  uint32_t magic;
  uint32_t checksum;  // CRC-32C from here to the end of the block, this field taken as 0
  uint32_t feature_compat;
  uint8_t blkszbits;
  uint8_t sb_extslots;
  uint16_t root_nid;
  uint64_t inos;
  uint64_t build_time;  // seconds; the time of all compact inodes
  uint32_t build_time_nsec;
  uint32_t blocks;
  uint32_t meta_blkaddr;  // where inode 0 is
  uint32_t xattr_blkaddr;
  uint8_t uuid[16];
  uint8_t volume_name[16];
  uint32_t feature_incompat;
  uint16_t available_compr_algs;
  uint16_t extra_devices;
  uint16_t devt_slotoff;  // of the device table, in slots
  uint8_t dirblkbits;
  uint8_t xattr_prefix_count;
  uint32_t xattr_prefix_start;  // in units of 4 bytes
  uint64_t packed_nid;
  uint8_t reserved[24];
};
static_assert(sizeof(erofs_super_block) == 128);

struct erofs_deviceslot {
  uint8_t tag[64];  // the blob's name, unless the mount gave one
  uint32_t blocks;
  uint32_t mapped_blkaddr;  // where it begins among all blocks; 0: nowhere
  uint8_t reserved[56];
};
static_assert(sizeof(erofs_deviceslot) == 128);

// Bits of i_format: the inode's own layout, then its data's.
inline constexpr unsigned EROFS_I_VERSION_MASK = 0x1;
inline constexpr unsigned EROFS_I_DATALAYOUT_BIT = 1;
inline constexpr unsigned EROFS_I_DATALAYOUT_MASK = 0x7;
inline constexpr unsigned EROFS_I_ALL = 0xf;

enum DataLayout : uint8_t {
  EROFS_INODE_FLAT_PLAIN = 0,
  EROFS_INODE_COMPRESSED_FULL = 1,
  EROFS_INODE_FLAT_INLINE = 2,  // the last, partial block is behind the inode
  EROFS_INODE_COMPRESSED_COMPACT = 3,
  EROFS_INODE_CHUNK_BASED = 4,
  EROFS_INODE_DATALAYOUT_MAX = 5,
};

inline constexpr unsigned EROFS_CHUNK_FORMAT_BLKBITS_MASK = 0x1f;
inline constexpr unsigned EROFS_CHUNK_FORMAT_INDEXES = 0x20;  // indexes, not mere addresses
inline constexpr unsigned EROFS_CHUNK_FORMAT_ALL = 0x3f;

inline constexpr unsigned kInodeSlotBits = 5;  // inodes are found by number times 32

// i_u is a block address, compressed blocks, a device number or, its first half, a chunk format.
struct erofs_inode_compact {
  uint16_t i_format;
  uint16_t i_xattr_icount;
  uint16_t i_mode;
  uint16_t i_nlink;
  uint32_t i_size;
  uint32_t i_reserved;
  uint32_t i_u;
  uint32_t i_ino;
  uint16_t i_uid;
  uint16_t i_gid;
  uint32_t i_reserved2;
};
static_assert(sizeof(erofs_inode_compact) == 32);

struct erofs_inode_extended {
  uint16_t i_format;
  uint16_t i_xattr_icount;
  uint16_t i_mode;
  uint16_t i_reserved;
  uint64_t i_size;
  uint32_t i_u;
  uint32_t i_ino;
  uint32_t i_uid;
  uint32_t i_gid;
  uint64_t i_mtime;
  uint32_t i_mtime_nsec;
  uint32_t i_nlink;
  uint8_t i_reserved2[16];
};
static_assert(sizeof(erofs_inode_extended) == 64);

inline constexpr uint32_t EROFS_NULL_ADDR = UINT32_MAX;  // a chunk that is a hole

struct erofs_inode_chunk_index {
  uint16_t advise;
  uint16_t device_id;
  uint32_t blkaddr;
};
static_assert(sizeof(erofs_inode_chunk_index) == 8);

// Sorted by name within a block, and blocks by their first names; names follow the entries.
struct erofs_dirent {
  uint32_t nid_low, nid_high;  // 12 bytes in all, so not one of 8
  uint16_t nameoff;
  uint8_t file_type;
  uint8_t reserved;
};
static_assert(sizeof(erofs_dirent) == 12);
inline constexpr size_t EROFS_NAME_LEN = 255;

struct erofs_xattr_ibody_header {
  uint32_t h_name_filter;
  uint8_t h_shared_count;  // so many addresses of shared entries follow, 4 bytes each
  uint8_t h_reserved2[7];
};
static_assert(sizeof(erofs_xattr_ibody_header) == 12);

struct erofs_xattr_entry {
  uint8_t e_name_len;
  uint8_t e_name_index;  // which prefix; bit 7: which of the image's own
  uint16_t e_value_size;
};
static_assert(sizeof(erofs_xattr_entry) == 4);
inline constexpr uint8_t EROFS_XATTR_LONG_PREFIX = 0x80;

// A structure at the start of `bytes`, which are known to be enough.
template <typename T>
T load(std::span<const std::byte> bytes) {
  T result;
  std::memcpy(&result, bytes.data(), sizeof(T));
  return result;
}

}  // namespace coldread::erofs
