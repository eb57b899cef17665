// A backing store that can be frozen, as fsfreeze(8) freezes a file system: whoever asks for the
// right to write waits, whoever writes without asking is found out.
//
// Stands between the modelled kernel and the disk. Waiting: write, punch_hole, zero_range and
// truncate, which ask in the VFS (truncate also for notify_change(), which does not), and
// want_write(). Those that leave asking to their caller reach ext4, whose journal warns
// (WARN_ON in ext4_journal_check_start): a warning report. Reading goes on.
//
// Thread rules: calls on a task's fiber, where they may block. Lifetime: scheduler and store
// outlive it.
#pragma once

#include "kernelmodel/kernel/wait_queue.h"
#include "kernelmodel/ports/backing_store.h"

namespace coldread::sim {

class FreezableStore final : public BackingStore {
 public:
  FreezableStore(Scheduler& scheduler, BackingStore& store)
      : scheduler_(scheduler), store_(store), thawed_(scheduler, "a frozen file system") {}

  int freeze();  // FIFREEZE: -EBUSY if it is frozen
  int thaw();    // FITHAW: -EINVAL if it is not
  bool is_frozen() const { return frozen_; }

  void want_write() override;

  int mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) override;
  int tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) override;
  int link(InodeNumber inode, InodeNumber dir, std::string_view name) override;
  int unlink(InodeNumber dir, std::string_view name) override;
  int rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
             std::string_view to) override;
  int truncate(InodeNumber inode, uint64_t size) override;
  int punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) override;
  int zero_range(InodeNumber inode, uint64_t offset, uint64_t length) override;
  int setxattr(InodeNumber inode, std::string_view name, std::span<const std::byte> value) override;
  int removexattr(InodeNumber inode, std::string_view name) override;
  ssize_t write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) override;

  int path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) override {
    return store_.path_lookup(path, cwd, out);
  }
  int lookup(InodeNumber dir, std::string_view name, InodeNumber* out) override {
    return store_.lookup(dir, name, out);
  }
  int getattr(InodeNumber inode, FileAttributes* out) override {
    return store_.getattr(inode, out);
  }
  ssize_t getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) override {
    return store_.getxattr(inode, name, value);
  }
  int64_t seek(InodeNumber inode, uint64_t offset, Whence whence) override {
    return store_.seek(inode, offset, whence);
  }
  ssize_t read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) override {
    return store_.read(inode, offset, data);
  }
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

 private:
  void must_not_be_frozen(const char* what);

  Scheduler& scheduler_;
  BackingStore& store_;
  WaitQueue thawed_;
  bool frozen_ = false;
};

}  // namespace coldread::sim
