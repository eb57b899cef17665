// Each call by its name, what it is told and what it answers.
#include "fuse/record/taped_store.h"

namespace coldread {

// Found by the tape.
static void to_json(fuse::Json& json, const FileAttributes& from) {
  json = {from.type, from.mode, from.size, from.links, from.sectors};
}
static void from_json(const fuse::Json& json, FileAttributes& to) {
  json.at(0).get_to(to.type);
  json.at(1).get_to(to.mode);
  json.at(2).get_to(to.size);
  json.at(3).get_to(to.links);
  json.at(4).get_to(to.sectors);
}

static void to_json(fuse::Json& json, const FilesystemStatistics& from) {
  json = {from.block_size, from.blocks, from.blocks_available, from.files, from.files_free};
}
static void from_json(const fuse::Json& json, FilesystemStatistics& to) {
  json.at(0).get_to(to.block_size);
  json.at(1).get_to(to.blocks);
  json.at(2).get_to(to.blocks_available);
  json.at(3).get_to(to.files);
  json.at(4).get_to(to.files_free);
}

}  // namespace coldread

namespace coldread::fuse {

// --- names --------------------------------------------------------------------------------------

int TapedStore::path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) {
  const auto call = [&] { return store_->path_lookup(path, cwd, out); };
  return tape_.ask_for(*out, "path_lookup", call, path, cwd);
}

int TapedStore::lookup(InodeNumber dir, std::string_view name, InodeNumber* out) {
  const auto call = [&] { return store_->lookup(dir, name, out); };
  return tape_.ask_for(*out, "lookup", call, dir, name);
}

int TapedStore::mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) {
  const auto call = [&] { return store_->mkdir(dir, name, mode, out); };
  return tape_.ask_for(*out, "mkdir", call, dir, name, mode);
}

int TapedStore::tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) {
  const auto call = [&] { return store_->tmpfile(dir, mode, out); };
  return tape_.ask_for(*out, "tmpfile", call, dir, mode);
}

int TapedStore::link(InodeNumber inode, InodeNumber dir, std::string_view name) {
  const auto call = [&] { return store_->link(inode, dir, name); };
  return tape_.ask("link", call, inode, dir, name);
}

int TapedStore::unlink(InodeNumber dir, std::string_view name) {
  const auto call = [&] { return store_->unlink(dir, name); };
  return tape_.ask("unlink", call, dir, name);
}

int TapedStore::rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                       std::string_view to) {
  const auto call = [&] { return store_->rename(from_dir, from, to_dir, to); };
  return tape_.ask("rename", call, from_dir, from, to_dir, to);
}

// --- inodes -------------------------------------------------------------------------------------

int TapedStore::getattr(InodeNumber inode, FileAttributes* out) {
  return tape_.ask_for(
      *out, "getattr", [&] { return store_->getattr(inode, out); }, inode);
}

int TapedStore::truncate(InodeNumber inode, uint64_t size) {
  return tape_.ask(
      "truncate", [&] { return store_->truncate(inode, size); }, inode, size);
}

int TapedStore::punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) {
  const auto call = [&] { return store_->punch_hole(inode, offset, length); };
  return tape_.ask("punch_hole", call, inode, offset, length);
}

int TapedStore::zero_range(InodeNumber inode, uint64_t offset, uint64_t length) {
  const auto call = [&] { return store_->zero_range(inode, offset, length); };
  return tape_.ask("zero_range", call, inode, offset, length);
}

ssize_t TapedStore::getxattr(InodeNumber inode, std::string_view name, std::span<std::byte> value) {
  const auto call = [&] { return store_->getxattr(inode, name, value); };
  Tape::Bytes bytes{value};
  return tape_.ask_for(bytes, "getxattr", call, inode, name, value.size());
}

int TapedStore::setxattr(InodeNumber inode, std::string_view name,
                         std::span<const std::byte> value) {
  const auto call = [&] { return store_->setxattr(inode, name, value); };
  return tape_.ask("setxattr", call, inode, name, value);
}

int TapedStore::removexattr(InodeNumber inode, std::string_view name) {
  const auto call = [&] { return store_->removexattr(inode, name); };
  return tape_.ask("removexattr", call, inode, name);
}

int64_t TapedStore::seek(InodeNumber inode, uint64_t offset, Whence whence) {
  const auto call = [&] { return store_->seek(inode, offset, whence); };
  const char* const wanted = whence == Whence::data ? "data" : "hole";
  return tape_.ask("seek", call, inode, offset, wanted);
}

ssize_t TapedStore::read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) {
  const auto call = [&] { return store_->read(inode, offset, data); };
  if (tape_.playing()) std::fill(data.begin(), data.end(), std::byte{0});
  return tape_.ask("read", call, inode, offset, data.size());
}

ssize_t TapedStore::write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) {
  const auto call = [&] { return store_->write(inode, offset, data); };
  return tape_.ask("write", call, inode, offset, data.size());
}

// --- the file system ----------------------------------------------------------------------------

int TapedStore::statfs(FilesystemStatistics* out) {
  return tape_.ask_for(*out, "statfs", [&] { return store_->statfs(out); });
}

bool TapedStore::read_only() {
  return tape_.ask("read_only", [&] { return store_->read_only(); });
}

bool TapedStore::can_hold_cache(InodeNumber dir) {
  return tape_.ask(
      "can_hold_cache", [&] { return store_->can_hold_cache(dir); }, dir);
}

int TapedStore::sync() {
  return tape_.ask("sync", [&] { return store_->sync(); });
}

int64_t TapedStore::max_file_size() {
  return tape_.ask("max_file_size", [&] { return store_->max_file_size(); });
}

void TapedStore::get(InodeNumber inode) {
  if (store_ != nullptr) store_->get(inode);
}

void TapedStore::put(InodeNumber inode) {
  if (store_ != nullptr) store_->put(inode);
}

bool TapedStore::was_written(InodeNumber inode, uint64_t offset, uint64_t length) {
  const auto call = [&] { return store_->was_written(inode, offset, length); };
  return tape_.ask("was_written", call, inode, offset, length);
}

}  // namespace coldread::fuse
