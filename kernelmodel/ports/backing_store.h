// The port to the filesystem that holds the cache: what cachefiles asks of ext4 through the VFS.
//
// sim/ implements it in memory, fuse/ on a real directory. Every call returns 0 (or a count) or a
// negative errno, as the VFS does. Calls run on the calling task and may block it.
//
// Inodes are named by number; 0 is "none". An inode that was looked up, created or opened stays
// valid until the last name and the last get() are gone: every call below that returns an inode
// number takes one reference for the caller, which put() gives back.
//
// Errors of every call, beside those it names: -ESTALE (an inode that is not valid any more), -EIO
// (the disk); of those that change something also -EROFS. Of calls with a name: -ENOTDIR (`dir` is
// none), -EACCES (empty, ".", "..", '/' or NUL in it), -ENAMETOOLONG (over 255 bytes). Of those on
// a file's data: -EISDIR, -EINVAL (neither file nor directory, or offset + length over 2^63-1).
//
// Thread rules: those of the Scheduler whose tasks call. Spans and names are used during the call
// only. Offsets, sizes and lengths are bytes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace coldread {

using InodeNumber = uint64_t;

enum class FileType : uint8_t { regular, directory, other };

struct FileAttributes {
  FileType type = FileType::regular;
  uint32_t mode = 0;  // permission bits only
  uint64_t size = 0;  // bytes
  uint32_t links = 0;
  uint64_t sectors = 0;  // allocated, in 512 bytes (i_blocks)
};

struct FilesystemStatistics {     // kstatfs
  uint32_t block_size = 0;        // f_bsize, bytes
  uint64_t blocks = 0;            // f_blocks, in block_size
  uint64_t blocks_available = 0;  // f_bavail
  uint64_t files = 0;             // f_files; 0: the filesystem does not count
  uint64_t files_free = 0;        // f_ffree
};

enum class Whence : uint8_t { data, hole };

class BackingStore {
 public:
  // Resolves a directory by path, relative ones from `cwd` (kern_path()): -ENOENT, -ENOTDIR,
  // -EACCES, -ENAMETOOLONG (a path of 4096 bytes or more).
  virtual int path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) = 0;

  // lookup_one_len(), vfs_mkdir(), vfs_tmpfile(), vfs_link(), vfs_unlink(), vfs_rename(). A removed
  // `dir` is -ENOENT (tmpfile: -EPERM).
  virtual int lookup(InodeNumber dir, std::string_view name, InodeNumber* out) = 0;  // -ENOENT
  // `mode`: permission bits. -EEXIST, -ENOSPC.
  virtual int mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) = 0;
  // A regular file without a name, which link() may give it. -ENOSPC.
  virtual int tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) = 0;
  // -EEXIST, -EPERM (a directory), -EMLINK, -ENOENT (its last name was removed).
  virtual int link(InodeNumber inode, InodeNumber dir, std::string_view name) = 0;
  virtual int unlink(InodeNumber dir, std::string_view name) = 0;  // -ENOENT, -EISDIR
  // Replaces `to`. -ENOENT, -EINVAL (below itself), -ENOTEMPTY, -EISDIR, -ENOTDIR.
  virtual int rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                     std::string_view to) = 0;

  virtual int getattr(InodeNumber inode, FileAttributes* out) = 0;
  virtual int truncate(InodeNumber inode, uint64_t size) = 0;  // vfs_truncate(): -EFBIG
  // vfs_fallocate(): -EFBIG, -EINVAL (length 0).
  // Frees the blocks of [offset, offset+length) without changing the size (FALLOC_FL_PUNCH_HOLE).
  virtual int punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) = 0;
  // Zeroes the bytes of [offset, offset+length), leaving holes as they are (FALLOC_FL_ZERO_RANGE).
  virtual int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) = 0;

  // Names have 1 to 255 bytes (else -ERANGE) and a known prefix (else -EOPNOTSUPP).
  // The xattr's length, or -ENODATA, or -ERANGE if it does not fit; an empty span asks the length.
  virtual ssize_t getxattr(InodeNumber inode, std::string_view name,
                           std::span<std::byte> value) = 0;
  // Makes or replaces it. -ENOSPC, -E2BIG (over 65536 bytes).
  virtual int setxattr(InodeNumber inode, std::string_view name,
                       std::span<const std::byte> value) = 0;
  virtual int removexattr(InodeNumber inode, std::string_view name) = 0;  // -ENODATA

  // vfs_llseek(SEEK_DATA / SEEK_HOLE) at block granularity: the offset found, or -ENXIO at or
  // behind the end (and for data: none left).
  virtual int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) = 0;

  // O_DIRECT: offset, length and memory must be multiples of the logical block (512), else -EINVAL.
  // Both return the bytes transferred. read: short at the end of the file, holes read as zeros.
  // write: extends the file; -ENOSPC, -EFBIG.
  virtual ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) = 0;
  virtual ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) = 0;

  // mnt_want_write(): waits while the file system is frozen. Before setxattr() and removexattr(),
  // which do not ask themselves.
  virtual void want_write() {}

  virtual int statfs(FilesystemStatistics* out) = 0;  // vfs_statfs()
  virtual bool read_only() = 0;                       // sb_rdonly()
  // Whether the file system of a directory has what a cache needs: directories, unnamed files,
  // xattrs, statfs and sync, and blocks no larger than a page.
  virtual bool can_hold_cache(InodeNumber dir) = 0;
  // Whether its open file has read_iter and write_iter, without which it is no use.
  virtual bool can_read_and_write(InodeNumber) { return true; }
  virtual int sync() = 0;
  // s_maxbytes: no file grows and no position goes beyond.
  virtual int64_t max_file_size() = 0;

  // One reference more, one less (dget, dput; fget, fput). They never block.
  virtual void get(InodeNumber inode) = 0;
  virtual void put(InodeNumber inode) = 0;

  // Self-check, not part of any kernel: whether somebody wrote every byte of the range, or the
  // range was there when the run began. A backing store that cannot know says true.
  virtual bool was_written(InodeNumber inode, uint64_t offset, uint64_t length) = 0;

 protected:
  BackingStore() = default;
  ~BackingStore() = default;
};

}  // namespace coldread
