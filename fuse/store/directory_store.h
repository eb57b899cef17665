// The backing filesystem on a real directory: cachefiles' files as a kernel leaves them on its
// disk, so that one cache can be used by both.
//
// Inodes are held by file descriptors, names are looked up in directories that are held so, and no
// symbolic link is followed but in the path that path_lookup() is given: nobody who renames things
// behind its back can lead it elsewhere. Files are opened with O_DIRECT, if that is wanted and the
// file system has it; else they are buffered, and the same alignment is asked for.
//
// Inode numbers are those of the disk, except if two file systems are in use that have the same
// one. At most StoreLimits::max_open descriptors stay open where handles can be used
// (name_to_handle _at(2), with CAP_DAC_READ_SEARCH); elsewhere each inode in use needs one, and
// -ENFILE is the end. Two fds for each file system in use come on top. /proc must be mounted.
//
// Beside the errors of the port, calls give what the disk gives: -EACCES, -EDQUOT, -EOPNOTSUPP
// (xattrs of a file system without them) ... lookup() gives -EXDEV for what is mounted below, as
// the kernel looks under it. An inode whose last name somebody else removes while its fd is closed
// is gone: -ESTALE.
//
// Two processes cannot have a cache in one directory: can_hold_cache(), which bind begins with,
// locks it (flock(2)) until the reference to it is given back or the process ends. Where somebody
// else holds the lock, statfs() is -EBUSY, and so is bind, as in a kernel that finds a directory of
// the cache in use. File systems without such locks know nobody else.
//
// Thread rules: those of the port; every system call that can block is made by the Offload. Not so
// getattr(), and seek() in a file that was sought in before and is not being changed.
// Lifetime: the Offload outlives the store, and no call is under way when the store ends.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "fuse/offload.h"
#include "fuse/store/inode_table.h"
#include "kernelmodel/ports/backing_store.h"
#include "sim/result.h"

namespace coldread::fuse {

struct DirectoryStoreOptions {
  size_t max_open = 0;  // 0: half of what the process may open (RLIMIT_NOFILE)
  // What a file system can do may be left unused:
  bool direct = true;   // O_DIRECT, which the kernel uses so that nothing is cached twice
  bool tmpfile = true;  // O_TMPFILE; else files have a name, "tmp." and digits, until link(), and a
                        // crash leaves them behind
  bool handles = true;  // name_to_handle_at()
  // As in sim::StoreOptions: an inode number that is not valid, a reference nobody holds.
  std::function<void(std::string_view text)> on_misuse = nullptr;
};

class DirectoryStore final : public BackingStore {
 public:
  // Opens `directory`, on the calling thread. statfs(), read_only(), sync() and max_file_size()
  // speak of its file system, or of that which can_hold_cache() was last asked about.
  static Result<std::unique_ptr<DirectoryStore>> open(Offload& offload,
                                                      const std::string& directory,
                                                      DirectoryStoreOptions options = {});
  ~DirectoryStore();  // may block
  DirectoryStore(const DirectoryStore&) = delete;
  DirectoryStore& operator=(const DirectoryStore&) = delete;

  InodeNumber root() const { return root_; }  // the directory given; the store holds it

  // The inode of a directory that an fd of this process refers to (O_PATH is enough), say another
  // process' working directory: with a reference. The fd stays the caller's. -ENOTDIR.
  int adopt(int fd, InodeNumber* out);

  // --- the port ---

  // Absolute paths from this process' root. -ENOTDIR also if the last component is a symbolic link,
  // as the kernel has it for "dir".
  int path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) override;

  int lookup(InodeNumber dir, std::string_view name, InodeNumber* out) override;
  int mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) override;
  int tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) override;
  int link(InodeNumber inode, InodeNumber dir, std::string_view name) override;
  int unlink(InodeNumber dir, std::string_view name) override;
  int rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
             std::string_view to) override;

  int getattr(InodeNumber inode, FileAttributes* out) override;
  int truncate(InodeNumber inode, uint64_t size) override;
  int punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) override;
  // Punches holes where O_DIRECT is missing.
  int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) override;

  ssize_t getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) override;
  int setxattr(InodeNumber inode, std::string_view name, std::span<const std::byte> value) override;
  int removexattr(InodeNumber inode, std::string_view name) override;

  int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) override;
  ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) override;
  ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) override;

  int statfs(FilesystemStatistics* out) override;
  bool read_only() override;
  // Also false if the file system does not tell holes from data: nothing would ever be fetched.
  // Where O_TMPFILE is all that is missing it is true, unlike in a kernel.
  bool can_hold_cache(InodeNumber dir) override;
  int sync() override;
  int64_t max_file_size() override;

  void get(InodeNumber inode) override { table_.get(inode); }
  void put(InodeNumber inode) override;

  bool was_written(InodeNumber, uint64_t, uint64_t) override { return true; }  // cannot know

  // For tests and statistics.
  size_t inodes_in_use() const { return table_.in_use(); }
  size_t open_inodes() const { return table_.open(); }

 private:
  class Use;

  DirectoryStore(Offload& offload, DirectoryStoreOptions options, size_t max_open);
  template <typename Function>
  auto call(Function function);
  int add_directory(const FoundFile& found, InodeNumber* out);
  int reopen(DiskInode& inode, bool data);
  int make_file(int dir, uint32_t mode, FoundFile* found, TemporaryName* temporary);
  int change_range(InodeNumber inode, int mode, uint64_t offset, uint64_t length);
  void unlock_cache();

  Offload& offload_;
  DirectoryStoreOptions options_;
  InodeTable table_;
  InodeNumber root_ = 0;
  InodeNumber cache_ = 0;  // the directory whose file system is spoken of, with a reference
  int lock_ = -1;          // an fd of that directory, locked; or why it is not: -EBUSY
  std::atomic<uint64_t> next_serial_;  // of temporary names
};

}  // namespace coldread::fuse
