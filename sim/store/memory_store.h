// The backing filesystem of a simulated run: ext4 with 4096-byte blocks on a disk with 512-byte
// sectors, in memory.
//
// With smaller blocks it counts free space in these; data lies in units of 4096 bytes all the same,
// and directories take that much.
//
// What it answers was asked of ext4 under Linux 6.1.192 and 6.12.117. It differs where nothing
// above it looks: ".." of a removed directory resolves only while the parent lives; space is
// counted in data blocks and one block for each directory, without reserves; a write that fails
// takes no space.
//
// Thread rules: none of its own; one run, one thread. No call blocks or is a preemption point:
// whoever uses it puts those around the calls. Lifetime: memory belongs to the store and outlives
// all fibers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernelmodel/ports/backing_store.h"
#include "sim/scheduler/run_memory.h"
#include "sim/store/block_pool.h"
#include "sim/store/file_data.h"

namespace coldread::sim {

struct StoreOptions {
  uint64_t bytes = uint64_t{512} << 20;  // of the disk, rounded down to blocks
  uint32_t block = 4096;                 // bytes: f_bsize
  uint64_t inodes = 131072;              // the root included
  uint64_t reserved_inodes = 0;          // of these, never free (ext4's own, lost+found)
  uint64_t reserved_blocks = 0;          // free, but not available (f_bfree - f_bavail)
  bool read_only = false;                // the helpers that prepare a scenario work all the same
  // Called when an inode number is used that is no longer valid, or a reference is given back that
  // nobody holds: the caller's bug. May not return. If it does, or is not set, the call gives
  // -ESTALE.
  std::function<void(std::string_view text)> on_misuse;
};

class MemoryStore final : public BackingStore {
 public:
  using Xattrs = std::map<std::string, std::vector<std::byte>, std::less<>>;

  static constexpr InodeNumber kRoot = 2;     // EXT4_ROOT_INO
  static constexpr InodeNumber kForeign = 3;  // an empty directory of another kind of file system

  explicit MemoryStore(StoreOptions options = {});
  ~MemoryStore();
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  // --- the port; a number that is no longer valid: -ESTALE ---
  //
  // Names are single components: empty, ".", ".." or with a '/' or NUL in them: -EACCES, as
  // lookup_one_len(). Longer than 255 bytes: -ENAMETOOLONG. `dir` not a directory: -ENOTDIR.
  // Whatever would change a read-only filesystem: -EROFS.
  // A path: -ENOENT also if it is empty, -ENAMETOOLONG from 4096 bytes on.
  int path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) override;
  int lookup(InodeNumber dir, std::string_view name, InodeNumber* out) override;
  // -EEXIST; -ENOENT: dir was removed; -ENOSPC: no inode or block left.
  int mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) override;
  // -EPERM: dir was removed; -ENOSPC: no inode left.
  int tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) override;
  // -EEXIST; -EPERM: a directory; -ENOENT: dir was removed, or the inode has lost its last name (a
  // tmpfile can be given its first one); -EMLINK: more than 65000 names.
  int link(InodeNumber inode, InodeNumber dir, std::string_view name) override;
  int unlink(InodeNumber dir, std::string_view name) override;  // -ENOENT, -EISDIR
  // -ENOENT; -EINVAL: a directory into itself; -ENOTEMPTY: over a directory with entries or one
  // that leads to `from`; -ENOTDIR, -EISDIR: a directory over something else, and the other way
  // round.
  int rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
             std::string_view to) override;

  int getattr(InodeNumber inode, FileAttributes* out) override;
  // -EISDIR; -EINVAL: negative as loff_t, or not a regular file; -EFBIG: above kMaxFileSize.
  int truncate(InodeNumber inode, uint64_t size) override;
  // -EINVAL: length 0, or a negative loff_t; -EFBIG: ends above kMaxFileSize; -EISDIR.
  int punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) override;
  int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) override;

  // Names begin with "user.", "trusted." or "security." (else -EOPNOTSUPP) and have more (-EINVAL);
  // empty or above 255 bytes: -ERANGE. getxattr with an empty span gives the length.
  ssize_t getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) override;
  // -E2BIG: more than 65536 bytes; -ENOSPC: not enough room beside the inode's other xattrs.
  int setxattr(InodeNumber inode, std::string_view name, std::span<const std::byte> value) override;
  int removexattr(InodeNumber inode, std::string_view name) override;

  int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) override;
  // O_DIRECT. Zero bytes, and reading at or behind the end, give 0 before anything is checked.
  // Reads that find only holes need no alignment; others, from the first allocated block on, do.
  // Errors: -EINVAL also if the range has no loff_t, or a read leads behind kMaxFileSize; -EISDIR;
  // write: -EFBIG at or above kMaxFileSize (short up to it), -ENOSPC and then nothing is written.
  ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) override;
  ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) override;

  int statfs(FilesystemStatistics* out) override;
  bool read_only() override { return read_only_; }
  bool can_hold_cache(InodeNumber dir) override { return dir != kForeign; }
  int sync() override { return 0; }
  int64_t max_file_size() override { return static_cast<int64_t>(kMaxFileSize); }

  void get(InodeNumber inode) override;
  void put(InodeNumber inode) override;

  // By sectors: one counts as written if any byte of it was. Behind the end nothing was. Punching
  // and truncating make sectors unwritten. True for what is no regular file.
  bool was_written(InodeNumber inode, uint64_t offset, uint64_t length) override;

  // --- what other programs than cachefiles do, whenever they like ---
  //
  // A regular file or something else (fifo, symlink): *out with a reference. -EEXIST; -ENOENT: dir
  // was removed; -ENOSPC.
  int mknod(InodeNumber dir, std::string_view name, FileType type, uint32_t mode, InodeNumber* out);
  int rmdir(InodeNumber dir, std::string_view name);  // -ENOENT, -ENOTDIR, -ENOTEMPTY
  int chmod(InodeNumber inode, uint32_t mode);
  // Through the page cache, so without alignment: all of it, or -ENOSPC, -EISDIR, -EFBIG, -EINVAL.
  int write_buffered(InodeNumber inode, uint64_t offset, std::span<const std::byte> data);
  // Takes as much away that only so much is left (f_bavail, in its blocks and rounded down to 4096
  // bytes, and f_ffree), or gives back what earlier
  // fills took. Less than that was there: nothing.
  void fill_blocks(uint64_t left);
  void fill_files(uint64_t left);

  // --- preparing a scenario: before the run, no references taken ---
  //
  // Paths are absolute; missing parents are made (mode 0755). 0: a parent is no directory, a name
  // is too long, or there is no room; for files also: the path is taken. make_directory() on an
  // existing directory gives that and leaves its mode.
  InodeNumber make_directory(std::string_view path, uint32_t mode = 0755);
  // `bytes` is the whole contents and counts as written, except for the holes: there blocks that
  // lie wholly inside stay unallocated, and the rest is zeros nobody wrote.
  InodeNumber make_file(std::string_view path, std::span<const std::byte> bytes,
                        std::span<const Extent> holes = {}, uint32_t mode = 0600);
  InodeNumber make_other(std::string_view path, uint32_t mode = 0600);  // a fifo, a symlink ...
  void remount(bool read_only) { read_only_ = read_only; }
  // kForeign, in the root.
  void make_foreign_directory(std::string_view name);

  // --- looking at it: after the run ---

  struct Entry {
    std::string path;  // from the directory asked for: "cache/Ivol"
    FileType type = FileType::regular;
    uint32_t mode = 0;
    uint64_t size = 0;
    uint32_t links = 0;
    Xattrs xattrs;
    std::vector<Extent> extents;  // data as seek() finds it, in bytes, the last one cut at the size
    size_t entries = 0;           // directories
  };
  // Everything below a directory, each directory before its entries and these by name.
  std::vector<Entry> dump(InodeNumber directory = kRoot);
  Entry describe(InodeNumber inode);  // one of these, without its path

  // A number for what dump() would show: equal where that is equal, but of the graveyard only the
  // number of entries counts, and of a file with several names only the latest. Takes time in
  // proportion to what was changed since it was asked before.
  uint64_t outcome();

  // A number for all there is now: every inode, with a name or not, with its contents, holes and
  // references. Takes time in proportion to the number of inodes and to the files changed since.
  uint64_t state();

  struct HeldInode {
    InodeNumber inode = 0;
    uint64_t references = 0;
  };
  // References not given back, by inode number: leaks, if the run is over.
  std::vector<HeldInode> held() const;

 private:
  struct Inode;
  struct Parent;

  Inode* find(InodeNumber number);
  int find_regular(InodeNumber number, Inode** out);
  int find_directory(InodeNumber number, std::string_view name, Inode** out);
  void misuse(std::string_view text) const;
  Inode* allocate(FileType type, uint32_t mode);
  Inode* make_inode(InodeNumber number, FileType type, uint32_t mode);
  void destroy(Inode* inode);
  void release_if_unused(Inode& inode);
  void release(Inode& inode);
  void insert(Inode& dir, std::string_view name, Inode& inode);
  void remove(Inode& dir, std::string_view name);
  bool is_below(const Inode* inode, const Inode& ancestor);
  int check_rename_target(const Inode& moved, const Inode& replaced) const;
  bool read_is_aligned(const Inode& inode, uint64_t offset, std::span<const std::byte> data) const;
  Parent make_parent(std::string_view path);
  Inode* make(std::string_view path, FileType type, uint32_t mode);

  void take(Inode& inode);  // a reference
  void touch(Inode& inode);
  uint64_t contribution(const Inode& inode) const;
  uint64_t likeness(const Inode& inode) const;
  const FileData& data_of(const Inode& inode) const;

  BlockPool pool_;
  const FileData no_data_{pool_};
  bool read_only_;
  uint64_t total_inodes_;
  uint64_t free_inodes_;
  uint64_t reserved_blocks_;
  uint32_t block_;
  uint64_t filled_blocks_ = 0;  // what fills took
  uint64_t filled_files_ = 0;
  std::function<void(std::string_view)> on_misuse_;
  RunMemory memory_;
  std::vector<Inode*> inodes_;        // by number; numbers are never used twice
  uint64_t references_ = 0;           // of all inodes
  uint64_t outcome_ = 0;              // the sum of what the inodes add, but for
  std::vector<InodeNumber> touched_;  // these, which changed
};

}  // namespace coldread::sim
