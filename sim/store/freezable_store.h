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
#include "sim/store/passing_store.h"

namespace coldread::sim {

class FreezableStore final : public PassingStore {
 public:
  FreezableStore(Scheduler& scheduler, BackingStore& store)
      : PassingStore(store), scheduler_(scheduler), thawed_(scheduler, "a frozen file system") {}

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

 private:
  void must_not_be_frozen(const char* what);

  Scheduler& scheduler_;
  WaitQueue thawed_;
  bool frozen_ = false;
};

}  // namespace coldread::sim
