// The backing store behind a tape: what the disk answers is recorded, and answered again without a
// disk.
//
// A replay takes the answers from the recording and not from another store: inode numbers, errors,
// extents and other people's changes are the real disk's, and no imitation has them all. What is
// read are zeros. get() and put() are passed on and not recorded, since they answer nothing.
//
// Thread rules: those of the port. Lifetime: tape and store outlive it.
#pragma once

#include "fuse/record/tape.h"
#include "kernelmodel/ports/backing_store.h"

namespace coldread::fuse {

class TapedStore final : public BackingStore {
 public:
  // `store`: may be null if the tape is playing.
  TapedStore(Tape& tape, BackingStore* store) : tape_(tape), store_(store) {}

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
  int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) override;
  ssize_t getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) override;
  int setxattr(InodeNumber inode, std::string_view name, std::span<const std::byte> value) override;
  int removexattr(InodeNumber inode, std::string_view name) override;
  int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) override;
  ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) override;
  ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) override;
  int statfs(FilesystemStatistics* out) override;
  bool read_only() override;
  bool can_hold_cache(InodeNumber dir) override;
  int sync() override;
  int64_t max_file_size() override;
  void get(InodeNumber inode) override;
  void put(InodeNumber inode) override;
  bool was_written(InodeNumber inode, uint64_t offset, uint64_t length) override;

 private:
  Tape& tape_;
  BackingStore* const store_;
};

}  // namespace coldread::fuse
