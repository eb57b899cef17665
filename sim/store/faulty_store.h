// A backing store whose calls go wrong when a scenario says so: what no real disk can be told to do
// at exactly that moment.
//
// Stands between the modelled kernel and the disk; whoever else uses the disk goes past it. Calls
// are counted by name. Thread rules and lifetime: those of the store behind it, which outlives it.
#pragma once

#include <string>
#include <vector>

#include "sim/store/passing_store.h"

namespace coldread::sim {

class FaultyStore final : public PassingStore {
 public:
  using PassingStore::PassingStore;

  // Of the calls named `call` from now on the `nth` and the `times - 1` after it give `result`: a
  // negative errno, and nothing is done; or, for "read" and "write", at most so many bytes.
  // Several at once: the first planned that fits.
  void plan(std::string call, int64_t result, uint64_t nth, uint64_t times);

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
  int sync() override;

  // The planned "operations": it has none.
  bool can_read_and_write(InodeNumber inode) override;

 private:
  struct Plan {
    std::string call;
    int64_t result;
    uint64_t before;  // calls that go well first
    uint64_t times;
  };

  // The planned result of this call, which counts; false: it goes well.
  bool find_planned(std::string_view call, int64_t* result);
  template <typename Result>
  bool fails(std::string_view call, Result* result);

  std::vector<Plan> plans_;
};

}  // namespace coldread::sim
