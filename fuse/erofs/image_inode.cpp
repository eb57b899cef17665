// Inodes: the two forms they have on disk, and which of what they say is believed.
#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>

#include "fuse/erofs/image.h"

namespace coldread::erofs {
namespace {

uint32_t xattr_size(uint16_t count) {
  return count == 0 ? 0 : static_cast<uint32_t>(sizeof(erofs_xattr_ibody_header)) + (count - 1) * 4;
}

bool compressed(DataLayout layout) {
  return layout == EROFS_INODE_COMPRESSED_FULL || layout == EROFS_INODE_COMPRESSED_COMPACT;
}

}  // namespace

int Image::inode(uint64_t nid, std::shared_ptr<Inode>* inode) {
  auto made = std::make_shared<Inode>(source_);
  made->nid = nid;
  const int error = fill_inode(*made);
  if (error == 0) *inode = std::move(made);
  return error;
}

// erofs_read_inode()
int Image::fill_inode(Inode& inode) {
  const uint64_t position = super_.meta_blkaddr * kBlockSize +
                            (inode.nid << kInodeSlotBits);  // may wrap, as anything may
  std::string bytes;
  if (const int error = metadata_bytes(position, sizeof(erofs_inode_compact), &bytes); error != 0) {
    source_.log_error(fmt::format("failed to get inode (nid: {}) page, err {}", inode.nid, error));
    return error;
  }
  const auto compact = load<erofs_inode_compact>(std::as_bytes(std::span(bytes)));
  const unsigned layout = (compact.i_format >> EROFS_I_DATALAYOUT_BIT) & EROFS_I_DATALAYOUT_MASK;
  if ((compact.i_format & ~EROFS_I_ALL) != 0 || layout >= EROFS_INODE_DATALAYOUT_MAX) {
    source_.log_error(
        fmt::format("unsupported i_format {} of nid {}", compact.i_format, inode.nid));
    return -EOPNOTSUPP;
  }
  inode.layout = static_cast<DataLayout>(layout);
  uint64_t on_disk = sizeof(erofs_inode_compact);
  inode.mode = compact.i_mode;
  uint32_t data = compact.i_u;
  if ((compact.i_format & EROFS_I_VERSION_MASK) != 0) {
    on_disk = sizeof(erofs_inode_extended);
    if (const int error = metadata_bytes(position, on_disk, &bytes); error != 0) return error;
    const auto extended = load<erofs_inode_extended>(std::as_bytes(std::span(bytes)));
    data = extended.i_u;
    inode.uid = extended.i_uid;
    inode.gid = extended.i_gid;
    inode.nlink = extended.i_nlink;
    inode.size = extended.i_size;
    inode.mtime = extended.i_mtime;
    inode.mtime_nsec = extended.i_mtime_nsec;
  } else {
    inode.uid = compact.i_uid;
    inode.gid = compact.i_gid;
    inode.nlink = compact.i_nlink;
    inode.size = compact.i_size;
    inode.mtime = super_.build_time;
    inode.mtime_nsec = super_.build_time_nsec;
  }
  inode.xattr_start = position + on_disk;
  inode.xattr_size = xattr_size(compact.i_xattr_icount);
  if (inode.size > INT64_MAX) return corrupted(fmt::format("negative i_size @ nid {}", inode.nid));
  return place_data(inode, data);
}

// What the field that has several uses means for this kind of file.
int Image::place_data(Inode& inode, uint32_t data) {
  switch (inode.mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
      inode.blkaddr = data;
      break;
    case S_IFCHR:
    case S_IFBLK:
      inode.rdev = data;
      return 0;
    case S_IFIFO:
    case S_IFSOCK:
      return 0;
    default:
      return corrupted(fmt::format("bogus i_mode ({:o}) @ nid {}", inode.mode, inode.nid));
  }
  if (compressed(inode.layout)) {
    if (options_.reads_compressed)
      source_.log_error(fmt::format("compressed inode @ nid {}: not supported here", inode.nid));
    return -EOPNOTSUPP;
  }
  if (inode.layout == EROFS_INODE_CHUNK_BASED) {
    const unsigned format = data & 0xffff;
    if ((format & ~EROFS_CHUNK_FORMAT_ALL) != 0) {
      source_.log_error(fmt::format("unsupported chunk format {:x} of nid {}", format, inode.nid));
      return -EOPNOTSUPP;
    }
    inode.chunk_bits = super_.blkszbits + (format & EROFS_CHUNK_FORMAT_BLKBITS_MASK);
    inode.chunk_indexes = (format & EROFS_CHUNK_FORMAT_INDEXES) != 0;
  }
  return 0;
}

}  // namespace coldread::erofs
