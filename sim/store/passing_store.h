// A backing store that passes every call on to another: the base of those that stand between the
// modelled kernel and the disk and change a few calls.
//
// Thread rules and lifetime: those of the store behind it, which outlives it.
#pragma once

#include "kernelmodel/ports/backing_store.h"

namespace coldread::sim {

class PassingStore : public BackingStore {
 public:
  explicit PassingStore(BackingStore& store) : store_(store) {}

  int path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) override {
    return store_.path_lookup(path, cwd, out);
  }
  int lookup(InodeNumber dir, std::string_view name, InodeNumber* out) override {
    return store_.lookup(dir, name, out);
  }
  int mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) override {
    return store_.mkdir(dir, name, mode, out);
  }
  int tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) override {
    return store_.tmpfile(dir, mode, out);
  }
  int link(InodeNumber inode, InodeNumber dir, std::string_view name) override {
    return store_.link(inode, dir, name);
  }
  int unlink(InodeNumber dir, std::string_view name) override { return store_.unlink(dir, name); }
  int rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
             std::string_view to) override {
    return store_.rename(from_dir, from, to_dir, to);
  }
  int getattr(InodeNumber inode, FileAttributes* out) override {
    return store_.getattr(inode, out);
  }
  int truncate(InodeNumber inode, uint64_t size) override { return store_.truncate(inode, size); }
  int punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) override {
    return store_.punch_hole(inode, offset, length);
  }
  int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) override {
    return store_.zero_range(inode, offset, length);
  }
  ssize_t getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) override {
    return store_.getxattr(inode, name, value);
  }
  int setxattr(InodeNumber inode, std::string_view name,
               std::span<const std::byte> value) override {
    return store_.setxattr(inode, name, value);
  }
  int removexattr(InodeNumber inode, std::string_view name) override {
    return store_.removexattr(inode, name);
  }
  int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) override {
    return store_.seek(inode, offset, whence);
  }
  ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) override {
    return store_.read(inode, offset, data);
  }
  ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) override {
    return store_.write(inode, offset, data);
  }
  void want_write() override { store_.want_write(); }
  int statfs(FilesystemStatistics* out) override { return store_.statfs(out); }
  bool read_only() override { return store_.read_only(); }
  bool can_hold_cache(InodeNumber dir) override { return store_.can_hold_cache(dir); }
  bool can_read_and_write(InodeNumber inode) override { return store_.can_read_and_write(inode); }
  int sync() override { return store_.sync(); }
  int64_t max_file_size() override { return store_.max_file_size(); }
  void get(InodeNumber inode) override { store_.get(inode); }
  void put(InodeNumber inode) override { store_.put(inode); }
  bool was_written(InodeNumber inode, uint64_t offset, uint64_t length) override {
    return store_.was_written(inode, offset, length);
  }

 protected:
  BackingStore& store_;
};

}  // namespace coldread::sim
