#include "sim/machine/disk_calls.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "sim/scenario/scenario.h"

namespace coldread::sim {
namespace {

using scenario::DiskCall;
using scenario::DiskOperation;

bool is_fanout(std::string_view name) {
  return name.size() == 3 && name[0] == '@';
}

const char* type_name(FileType type) {
  switch (type) {
    case FileType::regular:
      return "file";
    case FileType::directory:
      return "directory";
    case FileType::other:
      break;
  }
  return "other";
}

nlohmann::json describe_entry(const MemoryStore::Entry& entry) {
  nlohmann::json described = {{"type", type_name(entry.type)},
                              {"mode", fmt::format("{:04o}", entry.mode)},
                              {"xattr", nullptr}};
  const auto xattr = entry.xattrs.find(kCachefilesXattr);
  if (xattr != entry.xattrs.end()) described["xattr"] = scenario::hex_text(xattr->second);
  if (entry.type == FileType::regular) {
    described["size"] = entry.size;
    described["data"] = nlohmann::json::array();
    for (const Extent& extent : entry.extents)
      described["data"].push_back({extent.from, extent.to});
  }
  return described;
}

// An inode of the store, its reference given back in the end.
class Found {
 public:
  explicit Found(MemoryStore& store) : store_(store) {}
  Found(const Found&) = delete;
  Found& operator=(const Found&) = delete;
  ~Found() {
    if (inode != 0) store_.put(inode);
  }

  InodeNumber inode = 0;

 private:
  MemoryStore& store_;
};

// The directory a path leads into, and its last component.
int find_parent(MemoryStore& store, InodeNumber directory, const std::string& path, Found& parent,
                std::string_view* name) {
  const size_t slash = path.rfind('/');
  *name = std::string_view(path).substr(slash + 1);
  return store.path_lookup(slash == std::string::npos ? "." : path.substr(0, slash), directory,
                           &parent.inode);
}

int find(MemoryStore& store, InodeNumber directory, const std::string& path, Found& found) {
  if (path == ".") return store.path_lookup(path, directory, &found.inode);
  Found parent(store);
  std::string_view name;
  const int error = find_parent(store, directory, path, parent, &name);
  return error < 0 ? error : store.lookup(parent.inode, name, &found.inode);
}

int make_parents(MemoryStore& store, InodeNumber directory, const std::string& path) {
  for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string above = path.substr(0, at);
    Found parent(store);
    Found made(store);
    std::string_view name;
    int error = find_parent(store, directory, above, parent, &name);
    if (error == 0) error = store.mkdir(parent.inode, name, scenario::kMadeParentMode, &made.inode);
    if (error < 0 && error != -EEXIST) return error;
  }
  return 0;
}

int create(MemoryStore& store, InodeNumber parent, std::string_view name, const DiskCall& call,
           std::span<const std::byte> contents) {
  Found made(store);
  int error = store.mknod(parent, name, FileType::regular, call.mode, &made.inode);
  if (error == 0 && !contents.empty()) error = store.write_buffered(made.inode, 0, contents);
  if (error == 0 && call.size) error = store.truncate(made.inode, *call.size);
  return error;
}

int make_other(MemoryStore& store, InodeNumber parent, std::string_view name, uint32_t mode) {
  Found made(store);
  return store.mknod(parent, name, FileType::other, mode, &made.inode);
}

int link(MemoryStore& store, InodeNumber directory, const DiskCall& call) {
  Found linked(store);
  if (const int error = find(store, directory, call.path, linked); error < 0) return error;
  Found target(store);
  std::string_view name;
  const int error = find_parent(store, directory, call.to, target, &name);
  return error < 0 ? error : store.link(linked.inode, target.inode, name);
}

int remove_directory(Kernel& k, MemoryStore& store, InodeNumber parent, std::string_view name) {
  Found victim(store);
  if (const int error = store.lookup(parent, name, &victim.inode); error < 0) return error;
  FileAttributes attributes;
  store.getattr(victim.inode, &attributes);
  if (attributes.type == FileType::directory && cachefiles_inode(k, victim.inode).kernel_file)
    return -EBUSY;
  return store.rmdir(parent, name);
}

// The calls on a name.
int change_names(Kernel& k, MemoryStore& store, InodeNumber directory, const DiskCall& call,
                 std::span<const std::byte> contents) {
  Found parent(store);
  std::string_view name;
  if (const int error = find_parent(store, directory, call.path, parent, &name); error < 0)
    return error;
  switch (call.operation) {
    case DiskOperation::mkdir: {
      Found made(store);
      return store.mkdir(parent.inode, name, call.mode, &made.inode);
    }
    case DiskOperation::create:
      return create(store, parent.inode, name, call, contents);
    case DiskOperation::symlink:
      return make_other(store, parent.inode, name, 0777);
    case DiskOperation::mkfifo:
      return make_other(store, parent.inode, name, call.mode);
    case DiskOperation::unlink:
      return store.unlink(parent.inode, name);
    case DiskOperation::rmdir:
      return remove_directory(k, store, parent.inode, name);
    case DiskOperation::link:
      return link(store, directory, call);
    case DiskOperation::rename: {
      Found target(store);
      std::string_view new_name;
      const int error = find_parent(store, directory, call.to, target, &new_name);
      return error < 0 ? error : store.rename(parent.inode, name, target.inode, new_name);
    }
    default:
      return -EINVAL;
  }
}

int set_xattr(MemoryStore& store, InodeNumber inode, const DiskCall& call) {
  FileAttributes attributes;
  store.getattr(inode, &attributes);
  const bool user = call.xattr.starts_with("user.");
  if (user && attributes.type == FileType::other) return -EPERM;  // xattr_permission()
  return call.operation == DiskOperation::setxattr ? store.setxattr(inode, call.xattr, call.value)
                                                   : store.removexattr(inode, call.xattr);
}

// The calls on what a path leads to.
int change_inode(MemoryStore& store, InodeNumber inode, const DiskCall& call,
                 std::span<const std::byte> contents, nlohmann::json* entry) {
  switch (call.operation) {
    case DiskOperation::write:
      return store.write_buffered(inode, call.offset, contents);
    case DiskOperation::truncate:
      return store.truncate(inode, call.size.value_or(0));
    case DiskOperation::punch_hole:
      return store.punch_hole(inode, call.offset, call.length);
    case DiskOperation::chmod:
      return store.chmod(inode, call.mode);
    case DiskOperation::setxattr:
    case DiskOperation::removexattr:
      return set_xattr(store, inode, call);
    case DiskOperation::look: {
      const MemoryStore::Entry found = store.describe(inode);
      *entry = describe_entry(found);
      if (found.type == FileType::directory) (*entry)["entries"] = found.entries;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

// No file may be open for writing, as those are that cachefiles holds.
int64_t remount(MemoryStore& store, bool read_only) {
  for (const MemoryStore::HeldInode& held : store.held()) {
    FileAttributes attributes;
    store.getattr(held.inode, &attributes);
    if (read_only && attributes.type == FileType::regular) return -EBUSY;
  }
  store.remount(read_only);
  return 0;
}

}  // namespace

nlohmann::json describe_disk(MemoryStore& store, InodeNumber directory) {
  nlohmann::json disk = nlohmann::json::object();
  for (const MemoryStore::Entry& entry : store.dump(directory)) {
    const size_t depth = static_cast<size_t>(std::ranges::count(entry.path, '/'));
    const std::string name = entry.path.substr(entry.path.rfind('/') + 1);
    const bool is_directory = entry.type == FileType::directory;
    if (entry.path == "graveyard") {
      disk["graveyard"] = {{"entries", entry.entries}};
    } else if (depth == 0 || !entry.path.starts_with("cache/")) {
      continue;
    } else if (depth == 2 && is_directory && is_fanout(name)) {
      nlohmann::json& volume = disk[entry.path.substr(0, entry.path.rfind('/'))];
      volume["fanout"] = volume.value("fanout", 0) + 1;
    } else {
      disk[entry.path] = describe_entry(entry);
      if (depth == 1 && is_directory) disk[entry.path]["fanout"] = 0;
    }
  }
  return disk;
}

int64_t change_disk(Kernel& k, MemoryStore& store, InodeNumber directory, const DiskCall& call,
                    std::span<const std::byte> contents, nlohmann::json* entry) {
  k.scheduler.preemption_point(&store);
  const bool second =
      call.operation == DiskOperation::rename || call.operation == DiskOperation::link;
  if (scenario::makes_parents(call.operation)) {
    const int error = make_parents(store, directory, second ? call.to : call.path);
    if (error < 0) return error;
  }
  switch (call.operation) {
    case DiskOperation::write:
    case DiskOperation::truncate:
    case DiskOperation::punch_hole:
    case DiskOperation::chmod:
    case DiskOperation::setxattr:
    case DiskOperation::removexattr:
    case DiskOperation::look: {
      Found found(store);
      const int error = find(store, directory, call.path, found);
      return error < 0 ? error : change_inode(store, found.inode, call, contents, entry);
    }
    case DiskOperation::fill:
      if (call.files) store.fill_files(*call.files);
      if (call.blocks) store.fill_blocks(*call.blocks);
      return 0;
    case DiskOperation::remount:
      return remount(store, call.read_only);
    default:
      return change_names(k, store, directory, call, contents);
  }
}

}  // namespace coldread::sim
