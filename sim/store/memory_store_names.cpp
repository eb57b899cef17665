// Names: directories, links and paths, and the tree as a scenario prepares it and a transcript
// shows it.
#include <algorithm>
#include <cerrno>

#include "sim/outcome_hash.h"
#include "sim/store/inode.h"

namespace coldread::sim {
namespace {

constexpr size_t kMaxName = 255;   // NAME_MAX
constexpr size_t kMaxPath = 4096;  // PATH_MAX, the terminating NUL included
constexpr std::string_view kGraveyard = "graveyard";
constexpr uint32_t kMaxLinks = 65000;  // EXT4_LINK_MAX; subdirectories do not count

int check_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return -EACCES;
  if (std::any_of(name.begin(), name.end(), [](char c) { return c == '/' || c == '\0'; }))
    return -EACCES;
  return name.size() > kMaxName ? -ENAMETOOLONG : 0;
}

// Cuts the first component off; empty if none is left.
std::string_view next_component(std::string_view* path) {
  const size_t begin = std::min(path->find_first_not_of('/'), path->size());
  const size_t end = std::min(path->find('/', begin), path->size());
  const std::string_view component = path->substr(begin, end - begin);
  path->remove_prefix(end);
  return component;
}

}  // namespace

int MemoryStore::find_directory(InodeNumber number, std::string_view name, Inode** out) {
  *out = find(number);
  if (*out == nullptr) return -ESTALE;
  if ((*out)->type != FileType::directory) return -ENOTDIR;
  return check_name(name);
}

void MemoryStore::insert(Inode& dir, std::string_view name, Inode& inode) {
  dir.entries.emplace(memory_, name, inode.number);
  OutcomeHash place;
  place.add(dir.place);
  place.add(name);
  inode.place = dir.place == 0 || dir.buries ? 0 : place.value();
  inode.buries = name == kGraveyard;
  touch(dir);
  touch(inode);
  if (inode.type == FileType::directory) {
    inode.parent = dir.number;
    ++dir.links;
  }
}

void MemoryStore::remove(Inode& dir, std::string_view name) {
  const auto entry = dir.entries.find(name);
  touch(dir);
  touch(*inodes_[entry->second]);
  if (inodes_[entry->second]->type == FileType::directory) --dir.links;
  dir.entries.erase(entry);
}

int MemoryStore::path_lookup(std::string_view path, InodeNumber cwd, InodeNumber* out) {
  if (path.empty()) return -ENOENT;
  if (path.size() >= kMaxPath) return -ENAMETOOLONG;
  Inode* at = find(path.front() == '/' ? kRoot : cwd);
  if (at == nullptr) return -ESTALE;
  for (;;) {
    if (at->type != FileType::directory) return -ENOTDIR;
    const std::string_view name = next_component(&path);
    if (name.empty()) break;
    if (name == ".") continue;
    InodeNumber next = at->parent;
    if (name != "..") {
      if (name.size() > kMaxName) return -ENAMETOOLONG;
      const auto entry = at->entries.find(name);
      if (entry == at->entries.end()) return -ENOENT;
      next = entry->second;
    }
    at = inodes_[next];
    if (at == nullptr) return -ENOENT;
  }
  take(*at);
  *out = at->number;
  return 0;
}

int MemoryStore::lookup(InodeNumber dir, std::string_view name, InodeNumber* out) {
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  const auto entry = parent->entries.find(name);
  if (entry == parent->entries.end()) return -ENOENT;
  take(*inodes_[entry->second]);
  *out = entry->second;
  return 0;
}

int MemoryStore::mkdir(InodeNumber dir, std::string_view name, uint32_t mode, InodeNumber* out) {
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  if (parent->entries.contains(name)) return -EEXIST;
  if (read_only_) return -EROFS;
  if (parent->links == 0) return -ENOENT;
  Inode* made = allocate(FileType::directory, mode);
  if (made == nullptr) return -ENOSPC;
  made->links = 2;
  take(*made);
  insert(*parent, name, *made);
  *out = made->number;
  return 0;
}

int MemoryStore::tmpfile(InodeNumber dir, uint32_t mode, InodeNumber* out) {
  const Inode* parent = find(dir);
  if (parent == nullptr) return -ESTALE;
  if (parent->type != FileType::directory) return -ENOTDIR;
  if (read_only_) return -EROFS;
  if (parent->links == 0) return -EPERM;
  Inode* made = allocate(FileType::regular, mode);
  if (made == nullptr) return -ENOSPC;
  made->linkable = true;
  take(*made);
  *out = made->number;
  return 0;
}

int MemoryStore::link(InodeNumber inode, InodeNumber dir, std::string_view name) {
  Inode* linked = find(inode);
  if (linked == nullptr) return -ESTALE;
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  if (parent->entries.contains(name)) return -EEXIST;
  if (read_only_) return -EROFS;
  if (parent->links == 0) return -ENOENT;
  if (linked->type == FileType::directory) return -EPERM;
  if (linked->links == 0 && !linked->linkable) return -ENOENT;
  if (linked->links >= kMaxLinks) return -EMLINK;
  linked->linkable = false;
  ++linked->links;
  insert(*parent, name, *linked);
  return 0;
}

int MemoryStore::unlink(InodeNumber dir, std::string_view name) {
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  if (read_only_) return -EROFS;
  const auto entry = parent->entries.find(name);
  if (entry == parent->entries.end()) return -ENOENT;
  Inode& unlinked = *inodes_[entry->second];
  if (unlinked.type == FileType::directory) return -EISDIR;
  remove(*parent, name);
  --unlinked.links;
  release_if_unused(unlinked);
  return 0;
}

// Whether `inode` is `ancestor` or lies somewhere below it.
bool MemoryStore::is_below(const Inode* inode, const Inode& ancestor) {
  while (inode != nullptr && inode != &ancestor && inode->number != kRoot)
    inode = inodes_[inode->parent];
  return inode == &ancestor;
}

int MemoryStore::check_rename_target(const Inode& moved, const Inode& replaced) const {
  const bool to_directory = replaced.type == FileType::directory;
  if (moved.type == FileType::directory && !to_directory) return -ENOTDIR;
  if (moved.type != FileType::directory && to_directory) return -EISDIR;
  return replaced.entries.empty() ? 0 : -ENOTEMPTY;
}

int MemoryStore::rename(InodeNumber from_dir, std::string_view from, InodeNumber to_dir,
                        std::string_view to) {
  Inode* source = nullptr;
  Inode* target = nullptr;
  if (const int error = find_directory(from_dir, from, &source); error < 0) return error;
  if (const int error = find_directory(to_dir, to, &target); error < 0) return error;
  if (read_only_) return -EROFS;

  const auto entry = source->entries.find(from);
  if (entry == source->entries.end()) return -ENOENT;
  Inode& moved = *inodes_[entry->second];
  if (moved.type == FileType::directory && is_below(target, moved)) return -EINVAL;
  if (target->links == 0) return -ENOENT;

  const auto existing = target->entries.find(to);
  if (existing != target->entries.end()) {
    Inode& replaced = *inodes_[existing->second];
    if (&replaced == &moved) return 0;
    if (replaced.type == FileType::directory && is_below(source, replaced)) return -ENOTEMPTY;
    if (const int error = check_rename_target(moved, replaced); error < 0) return error;
    remove(*target, to);
    replaced.links = replaced.type == FileType::directory ? 0 : replaced.links - 1;
    release_if_unused(replaced);
  }
  remove(*source, from);
  insert(*target, to, moved);
  return 0;
}

int MemoryStore::mknod(InodeNumber dir, std::string_view name, FileType type, uint32_t mode,
                       InodeNumber* out) {
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  if (parent->entries.contains(name)) return -EEXIST;
  if (read_only_) return -EROFS;
  if (parent->links == 0) return -ENOENT;
  Inode* made = allocate(type, mode);
  if (made == nullptr) return -ENOSPC;
  made->links = 1;
  take(*made);
  insert(*parent, name, *made);
  *out = made->number;
  return 0;
}

int MemoryStore::rmdir(InodeNumber dir, std::string_view name) {
  Inode* parent = nullptr;
  if (const int error = find_directory(dir, name, &parent); error < 0) return error;
  if (read_only_) return -EROFS;
  const auto entry = parent->entries.find(name);
  if (entry == parent->entries.end()) return -ENOENT;
  Inode& removed = *inodes_[entry->second];
  if (removed.type != FileType::directory) return -ENOTDIR;
  if (!removed.entries.empty()) return -ENOTEMPTY;
  remove(*parent, name);
  removed.links = 0;
  release_if_unused(removed);
  return 0;
}

struct MemoryStore::Parent {
  Inode* dir = nullptr;   // null: impossible
  std::string_view name;  // the last component; empty: the path is the root
};

MemoryStore::Parent MemoryStore::make_parent(std::string_view path) {
  Parent parent{find(kRoot), next_component(&path)};
  for (;;) {
    const std::string_view next = next_component(&path);
    if (next.empty()) break;
    if (check_name(parent.name) < 0) return {};
    const auto entry = parent.dir->entries.find(parent.name);
    if (entry != parent.dir->entries.end()) {
      parent.dir = inodes_[entry->second];
    } else {
      Inode* made = allocate(FileType::directory, 0755);
      if (made == nullptr) return {};
      made->links = 2;
      insert(*parent.dir, parent.name, *made);
      parent.dir = made;
    }
    if (parent.dir->type != FileType::directory) return {};
    parent.name = next;
  }
  if (!parent.name.empty() && check_name(parent.name) < 0) return {};
  return parent;
}

MemoryStore::Inode* MemoryStore::make(std::string_view path, FileType type, uint32_t mode) {
  const Parent parent = make_parent(path);
  if (parent.dir == nullptr || parent.name.empty()) return nullptr;
  if (parent.dir->entries.contains(parent.name)) return nullptr;
  Inode* made = allocate(type, mode);
  if (made == nullptr) return nullptr;
  made->links = type == FileType::directory ? 2 : 1;
  insert(*parent.dir, parent.name, *made);
  return made;
}

InodeNumber MemoryStore::make_directory(std::string_view path, uint32_t mode) {
  const Parent parent = make_parent(path);
  if (parent.dir == nullptr) return 0;
  if (parent.name.empty()) return kRoot;
  if (const auto entry = parent.dir->entries.find(parent.name); entry != parent.dir->entries.end())
    return inodes_[entry->second]->type == FileType::directory ? entry->second : 0;
  const Inode* made = make(path, FileType::directory, mode);
  return made == nullptr ? 0 : made->number;
}

InodeNumber MemoryStore::make_file(std::string_view path, std::span<const std::byte> bytes,
                                   std::span<const Extent> holes, uint32_t mode) {
  if (bytes.size() > kMaxFileSize) return 0;
  Inode* made = make(path, FileType::regular, mode);
  if (made == nullptr) return 0;
  if (!made->data->write(0, bytes)) {
    const Parent parent = make_parent(path);
    remove(*parent.dir, parent.name);
    made->links = 0;
    release_if_unused(*made);
    return 0;
  }
  for (const Extent& hole : holes)
    if (hole.from < hole.to) made->data->punch_hole(hole.from, hole.to);
  return made->number;
}

void MemoryStore::make_foreign_directory(std::string_view name) {
  inodes_[kForeign] = make_inode(kForeign, FileType::directory, 0555);
  inodes_[kForeign]->links = 2;
  insert(*inodes_[kRoot], name, *inodes_[kForeign]);
}

InodeNumber MemoryStore::make_other(std::string_view path, uint32_t mode) {
  const Inode* made = make(path, FileType::other, mode);
  return made == nullptr ? 0 : made->number;
}

MemoryStore::Entry MemoryStore::describe(InodeNumber number) {
  const Inode* inode = find(number);
  if (inode == nullptr) return {};
  Entry entry{"", inode->type, inode->mode, 0, inode->links, {}, {}, 0};
  entry.xattrs = Xattrs(inode->xattrs.begin(), inode->xattrs.end());
  FileAttributes attributes;
  if (getattr(number, &attributes) == 0) entry.size = attributes.size;
  if (inode->type == FileType::regular) entry.extents = inode->data->extents();
  entry.entries = inode->entries.size();
  return entry;
}

std::vector<MemoryStore::Entry> MemoryStore::dump(InodeNumber directory) {
  struct Level {
    const Inode* dir;
    Names<InodeNumber>::const_iterator next;
    std::string prefix;
  };
  std::vector<Entry> found;
  const Inode* top = find(directory);
  if (top == nullptr) return found;
  std::vector<Level> levels{{top, top->entries.begin(), ""}};
  while (!levels.empty()) {
    Level& level = levels.back();
    if (level.next == level.dir->entries.end()) {
      levels.pop_back();
      continue;
    }
    const auto& [name, number] = *level.next++;
    const Inode& inode = *inodes_[number];
    found.push_back(describe(number));
    found.back().path = level.prefix + name;
    if (inode.type == FileType::directory)
      levels.push_back({&inode, inode.entries.begin(), found.back().path + "/"});
  }
  return found;
}

}  // namespace coldread::sim
