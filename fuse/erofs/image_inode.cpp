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
  const uint64_t found_at = in_first_blocks(position);
  std::string bytes;
  if (const int error = metadata_bytes(found_at, sizeof(erofs_inode_compact), &bytes); error != 0) {
    source_.log_error(fmt::format("failed to get inode (nid: {}) page, err {}", inode.nid, error));
    return error;
  }
  const auto compact = load<erofs_inode_compact>(std::as_bytes(std::span(bytes)));
  const unsigned layout = (compact.i_format >> EROFS_I_DATALAYOUT_BIT) & EROFS_I_DATALAYOUT_MASK;
  if ((compact.i_format & ~EROFS_I_ALL) != 0) {
    source_.log_error(
        fmt::format("unsupported i_format {} of nid {}", compact.i_format, inode.nid));
    return -EOPNOTSUPP;
  }
  if (layout >= EROFS_INODE_DATALAYOUT_MAX) {
    source_.log_error(fmt::format("unsupported datalayout {} of nid {}", layout, inode.nid));
    return -EOPNOTSUPP;
  }
  inode.layout = static_cast<DataLayout>(layout);
  uint64_t on_disk = sizeof(erofs_inode_compact);
  inode.mode = compact.i_mode;
  uint32_t data = compact.i_u;
  if ((compact.i_format & EROFS_I_VERSION_MASK) != 0) {
    on_disk = sizeof(erofs_inode_extended);
    if (const int error = metadata_bytes(found_at, on_disk, &bytes); error != 0) {
      source_.log_error(
          fmt::format("failed to get inode payload block (nid: {}), err {}", inode.nid, error));
      return error;
    }
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
  inode.sectors = compressed(inode.layout) && data != 0
                      ? uint64_t{data} * (kBlockSize / 512)
                      : (inode.size + kBlockSize - 1) / kBlockSize * (kBlockSize / 512);
  return place_data(inode, data);
}

// Kernels before 6.12 let such a file be; who looks through FUSE cannot see one.
int Image::check_size(const Inode& inode) const {
  if (inode.size <= INT64_MAX) return 0;
  return corrupted(fmt::format("negative i_size @ nid {}", inode.nid));
}

// What the field that has several uses means for this kind of file.
int Image::place_data(Inode& inode, uint32_t data) {
  if (options_.checks_anew)
    if (const int error = check_size(inode); error != 0) return error;
  switch (inode.mode & S_IFMT) {
    case S_IFREG:
    case S_IFDIR:
    case S_IFLNK:
      inode.blkaddr = data;
      break;
    case S_IFCHR:
    case S_IFBLK:
      inode.rdev = data;
      break;
    case S_IFIFO:
    case S_IFSOCK:
      break;
    default:
      return corrupted(fmt::format("bogus i_mode ({:o}) @ nid {}", inode.mode, inode.nid));
  }
  if (const int error = check_size(inode); error != 0) return error;
  if (inode.layout == EROFS_INODE_CHUNK_BASED) {
    const unsigned format = data & 0xffff;
    if ((format & ~EROFS_CHUNK_FORMAT_ALL) != 0) {
      source_.log_error(fmt::format("unsupported chunk format {:x} of nid {}", format, inode.nid));
      return -EOPNOTSUPP;
    }
    inode.chunk_bits = super_.blkszbits + (format & EROFS_CHUNK_FORMAT_BLKBITS_MASK);
    inode.chunk_indexes = (format & EROFS_CHUNK_FORMAT_INDEXES) != 0;
  }
  const bool has_data = S_ISREG(inode.mode) || S_ISDIR(inode.mode) || S_ISLNK(inode.mode);
  if (!compressed(inode.layout) || !has_data) return 0;
  if (options_.reads_compressed)
    source_.log_error(fmt::format("compressed inode @ nid {}: not supported here", inode.nid));
  return -EOPNOTSUPP;
}

}  // namespace coldread::erofs
