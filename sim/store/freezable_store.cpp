#include "sim/store/freezable_store.h"

#include <cerrno>

#include "kernelmodel/kernel/report_text.h"

namespace coldread::sim {

int FreezableStore::freeze() {
  if (frozen_) return -EBUSY;
  frozen_ = true;
  return 0;
}

int FreezableStore::thaw() {
  if (!frozen_) return -EINVAL;
  frozen_ = false;
  thawed_.wake_up_all();
  return 0;
}

void FreezableStore::want_write() {
  if (frozen_) thawed_.wait_event([this] { return !frozen_; });
}

void FreezableStore::must_not_be_frozen(const char* what) {
  if (!frozen_) return;
  ReportText text;
  text << "ext4's journal: " << what << " in a file system that is frozen";
  report(scheduler_, ReportKind::warning, text);
}

int FreezableStore::mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) {
  must_not_be_frozen("mkdir");
  return store_.mkdir(dir, name, mode, out);
}

int FreezableStore::tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) {
  must_not_be_frozen("tmpfile");
  return store_.tmpfile(dir, mode, out);
}

int FreezableStore::link(InodeNumber inode, InodeNumber dir, std::string_view name) {
  must_not_be_frozen("link");
  return store_.link(inode, dir, name);
}

int FreezableStore::unlink(InodeNumber dir, std::string_view name) {
  must_not_be_frozen("unlink");
  return store_.unlink(dir, name);
}

int FreezableStore::rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                           std::string_view to) {
  must_not_be_frozen("rename");
  return store_.rename(from_dir, from, to_dir, to);
}

int FreezableStore::setxattr(InodeNumber inode, std::string_view name,
                             std::span<const std::byte> value) {
  must_not_be_frozen("setxattr");
  return store_.setxattr(inode, name, value);
}

int FreezableStore::removexattr(InodeNumber inode, std::string_view name) {
  must_not_be_frozen("removexattr");
  return store_.removexattr(inode, name);
}

int FreezableStore::truncate(InodeNumber inode, uint64_t size) {
  want_write();
  return store_.truncate(inode, size);
}

int FreezableStore::punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) {
  want_write();
  return store_.punch_hole(inode, offset, length);
}

int FreezableStore::zero_range(InodeNumber inode, uint64_t offset, uint64_t length) {
  want_write();
  return store_.zero_range(inode, offset, length);
}

ssize_t FreezableStore::write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) {
  want_write();
  return store_.write(inode, offset, data);
}

}  // namespace coldread::sim
