#include "sim/store/faulty_store.h"

#include <algorithm>

namespace coldread::sim {

void FaultyStore::plan(std::string call, int64_t result, uint64_t nth, uint64_t times) {
  plans_.push_back({std::move(call), result, nth - 1, times});
}

bool FaultyStore::find_planned(std::string_view call, int64_t* result) {
  bool failed = false;
  for (Plan& plan : plans_) {
    if (plan.call != call) continue;
    if (plan.before > 0) {
      plan.before--;
    } else if (plan.times > 0 && !failed) {
      plan.times--;
      *result = plan.result;
      failed = true;
    }
  }
  return failed;
}

template <typename Result>
bool FaultyStore::fails(std::string_view call, Result* result) {
  int64_t planned = 0;
  if (plans_.empty() || !find_planned(call, &planned)) return false;
  *result = static_cast<Result>(planned);
  return true;
}

int FaultyStore::path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) {
  int error = 0;
  return fails("path_lookup", &error) ? error : store_.path_lookup(path, cwd, out);
}

int FaultyStore::lookup(InodeNumber dir, std::string_view name, InodeNumber* out) {
  int error = 0;
  return fails("lookup", &error) ? error : store_.lookup(dir, name, out);
}

int FaultyStore::mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) {
  int error = 0;
  return fails("mkdir", &error) ? error : store_.mkdir(dir, name, mode, out);
}

int FaultyStore::tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) {
  int error = 0;
  return fails("tmpfile", &error) ? error : store_.tmpfile(dir, mode, out);
}

int FaultyStore::link(InodeNumber inode, InodeNumber dir, std::string_view name) {
  int error = 0;
  return fails("link", &error) ? error : store_.link(inode, dir, name);
}

int FaultyStore::unlink(InodeNumber dir, std::string_view name) {
  int error = 0;
  return fails("unlink", &error) ? error : store_.unlink(dir, name);
}

int FaultyStore::rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                        std::string_view to) {
  int error = 0;
  return fails("rename", &error) ? error : store_.rename(from_dir, from, to_dir, to);
}

int FaultyStore::getattr(InodeNumber inode, FileAttributes* out) {
  int error = 0;
  return fails("getattr", &error) ? error : store_.getattr(inode, out);
}

int FaultyStore::truncate(InodeNumber inode, uint64_t size) {
  int error = 0;
  return fails("truncate", &error) ? error : store_.truncate(inode, size);
}

int FaultyStore::punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) {
  int error = 0;
  return fails("punch_hole", &error) ? error : store_.punch_hole(inode, offset, length);
}

int FaultyStore::zero_range(InodeNumber inode, uint64_t offset, uint64_t length) {
  int error = 0;
  return fails("zero_range", &error) ? error : store_.zero_range(inode, offset, length);
}

ssize_t FaultyStore::getxattr(InodeNumber inode, std::string_view name,
                              std::span<std::byte> value) {
  ssize_t error = 0;
  return fails("getxattr", &error) ? error : store_.getxattr(inode, name, value);
}

int FaultyStore::setxattr(InodeNumber inode, std::string_view name,
                          std::span<const std::byte> value) {
  int error = 0;
  return fails("setxattr", &error) ? error : store_.setxattr(inode, name, value);
}

int FaultyStore::removexattr(InodeNumber inode, std::string_view name) {
  int error = 0;
  return fails("removexattr", &error) ? error : store_.removexattr(inode, name);
}

int64_t FaultyStore::seek(InodeNumber inode, uint64_t offset, Whence whence) {
  int64_t error = 0;
  return fails("seek", &error) ? error : store_.seek(inode, offset, whence);
}

ssize_t FaultyStore::read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) {
  ssize_t limit = 0;
  if (!fails("read", &limit)) return store_.read(inode, offset, data);
  if (limit < 0) return limit;
  return store_.read(inode, offset, data.first(std::min(data.size(), static_cast<size_t>(limit))));
}

ssize_t FaultyStore::write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) {
  ssize_t limit = 0;
  if (!fails("write", &limit)) return store_.write(inode, offset, data);
  if (limit < 0) return limit;
  return store_.write(inode, offset, data.first(std::min(data.size(), static_cast<size_t>(limit))));
}

bool FaultyStore::can_read_and_write(InodeNumber inode) {
  int error = 0;
  return !fails("operations", &error) && store_.can_read_and_write(inode);
}

int FaultyStore::statfs(FilesystemStatistics* out) {
  int error = 0;
  return fails("statfs", &error) ? error : store_.statfs(out);
}

int FaultyStore::sync() {
  int error = 0;
  return fails("sync", &error) ? error : store_.sync();
}

}  // namespace coldread::sim
