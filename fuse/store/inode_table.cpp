#include "fuse/store/inode_table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <utility>

namespace coldread::fuse {

namespace {

// A look at what the kernel has in memory, which does not block.
bool has_name(int fd) {
  struct statx status;
  return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &status) == 0 &&
         status.stx_nlink != 0;
}

}  // namespace

InodeTable::~InodeTable() {
  for (const Closing& closing : closing_) close_now(closing);
  for (const auto& [number, inode] : inodes_) {
    close_now({inode.fd, inode.temporary});
    if (inode.replaced_fd >= 0) close(inode.replaced_fd);
  }
  for (const auto& filesystem : filesystems_)
    if (filesystem->mount >= 0) close(filesystem->mount);
}

// While an inode has an fd no other can have its number on the disk; without one a handle tells.
DiskInode* InodeTable::find_same(const FoundFile& found) {
  const auto number = numbers_.find(found.identity);
  if (number == numbers_.end()) return nullptr;
  DiskInode& inode = inodes_.find(number->second)->second;
  if (inode.fd >= 0 || inode.handle == found.handle) return &inode;
  inode.lost = true;
  numbers_.erase(number);
  return nullptr;
}

// The number on the disk, as the kernel's traces show it.
InodeNumber InodeTable::new_number(const Identity& identity) {
  if (identity.inode != 0 && !inodes_.contains(identity.inode)) return identity.inode;
  while (inodes_.contains(next_number_)) ++next_number_;
  return next_number_++;
}

DiskInode& InodeTable::add(const FoundFile& found) {
  DiskInode* inode = find_same(found);
  if (inode == nullptr) {
    const InodeNumber number = new_number(found.identity);
    inode = &inodes_[number];
    inode->number = number;
    inode->identity = found.identity;
    inode->type = found.type;
    inode->handle = found.handle;
    inode->nameless = found.temporary;
    inode->filesystem = find_filesystem(found.identity.device);
    if (inode->filesystem != nullptr) ++inode->filesystem->inodes;
    numbers_[found.identity] = number;
  }
  ++inode->references;
  if (inode->fd >= 0) {
    close_later(found.fd);
  } else {
    take_fd(*inode, found);
  }
  return *inode;
}

DiskInode* InodeTable::find(InodeNumber number) {
  const auto found = inodes_.find(number);
  if (found != inodes_.end()) return &found->second;
  if (on_misuse_) on_misuse_("an inode number is used that is not, or no longer, valid");
  return nullptr;
}

void InodeTable::get(InodeNumber number) {
  if (DiskInode* inode = find(number); inode != nullptr) ++inode->references;
}

void InodeTable::put(InodeNumber number) {
  DiskInode* inode = find(number);
  if (inode == nullptr) return;
  if (inode->references == 0) {
    if (on_misuse_) on_misuse_("a reference to an inode is given back that nobody holds");
    return;
  }
  --inode->references;
  erase_if_unused(*inode);
}

uint64_t InodeTable::references(InodeNumber number) const {
  const auto found = inodes_.find(number);
  return found == inodes_.end() ? 0 : found->second.references;
}

void InodeTable::begin_call(DiskInode& inode) {
  ++inode.calls;
  if (inode.evictable) order_.splice(order_.begin(), order_, inode.place);
}

void InodeTable::end_call(DiskInode& inode) {
  if (--inode.calls != 0) return;
  if (inode.replaced_fd >= 0) close_later(std::exchange(inode.replaced_fd, -1));
  erase_if_unused(inode);
  make_room();
}

void InodeTable::reopened(DiskInode& inode, const FoundFile& found) {
  if (inode.fd >= 0 && (inode.data || !found.data)) {
    close_later(found.fd);
    return;
  }
  if (inode.fd >= 0) {
    inode.replaced_fd = std::exchange(inode.fd, -1);
    --open_;
  }
  take_fd(inode, found);
}

void InodeTable::named(DiskInode& inode) {
  inode.nameless = false;
  if (inode.temporary.dir >= 0) close_later(std::exchange(inode.temporary, {}).dir);
  update_place(inode);
}

void InodeTable::name_removed(const FoundFile& found) {
  DiskInode* inode = find_same(found);
  if (inode == nullptr) {
    close_later(found.fd);
    return;
  }
  if (inode->fd >= 0) {
    close_later(found.fd);
  } else {
    take_fd(*inode, found);
  }
  inode->nameless = true;
  update_place(*inode);
}

void InodeTable::take_fd(DiskInode& inode, const FoundFile& found) {
  inode.fd = found.fd;
  inode.data = found.data;
  inode.direct = found.direct;
  inode.read_only = found.read_only;
  inode.sought = false;
  ++open_;
  update_place(inode);
  make_room();
}

void InodeTable::drop_fd(DiskInode& inode) {
  if (inode.fd >= 0) --open_;
  closing_.push_back({std::exchange(inode.fd, -1), std::exchange(inode.temporary, {})});
  inode.data = false;
  update_place(inode);
}

void InodeTable::update_place(DiskInode& inode) {
  const bool evictable = inode.fd >= 0 && !inode.nameless && inode.handle.bytes != 0 &&
                         inode.filesystem != nullptr && inode.filesystem->handles;
  if (evictable == inode.evictable) return;
  inode.evictable = evictable;
  if (evictable) {
    inode.place = order_.insert(order_.begin(), inode.number);
  } else {
    order_.erase(inode.place);
  }
}

// Those in calls are passed over; there are never many. A name may have been removed since the
// inode was found.
void InodeTable::make_room() {
  auto candidate = order_.end();
  while (open_ > max_open_ && candidate != order_.begin()) {
    DiskInode& inode = inodes_.find(*--candidate)->second;
    if (inode.calls != 0) continue;
    ++candidate;
    if (has_name(inode.fd)) {
      drop_fd(inode);
    } else {
      inode.nameless = true;
      update_place(inode);
    }
  }
}

void InodeTable::erase_if_unused(DiskInode& inode) {
  if (inode.references != 0 || inode.calls != 0) return;
  if (inode.fd >= 0) drop_fd(inode);
  if (!inode.lost) numbers_.erase(inode.identity);
  Filesystem* filesystem = inode.filesystem;
  inodes_.erase(inode.number);
  if (filesystem == nullptr || --filesystem->inodes != 0) return;
  if (filesystem->mount >= 0) close_later(filesystem->mount);
  std::erase_if(filesystems_, [filesystem](const auto& held) { return held.get() == filesystem; });
}

Filesystem* InodeTable::find_filesystem(dev_t device) {
  const auto found = std::find_if(filesystems_.begin(), filesystems_.end(),
                                  [device](const auto& held) { return held->device == device; });
  return found == filesystems_.end() ? nullptr : found->get();
}

void InodeTable::add_filesystem(dev_t device, int mount, bool handles) {
  filesystems_.push_back(std::make_unique<Filesystem>());
  filesystems_.back()->device = device;
  filesystems_.back()->mount = mount;
  filesystems_.back()->handles = handles;
}

void InodeTable::close_later(int fd) {
  closing_.push_back({fd, {}});
}

size_t InodeTable::take_closing(std::span<Closing> closing) {
  const size_t count = std::min(closing.size(), closing_.size());
  std::copy_n(closing_.end() - static_cast<ptrdiff_t>(count), count, closing.begin());
  closing_.resize(closing_.size() - count);
  return count;
}

void unlink_now(const TemporaryName& temporary) {
  if (temporary.dir >= 0) unlinkat(temporary.dir, temporary_name(temporary.serial).c_str(), 0);
}

void close_now(const Closing& closing) {
  unlink_now(closing.temporary);
  if (closing.temporary.dir >= 0) close(closing.temporary.dir);
  if (closing.fd >= 0) close(closing.fd);
}

CName temporary_name(uint64_t serial) {
  char text[32];
  const int length = std::snprintf(text, sizeof(text), "tmp.%016" PRIx64, serial);
  return CName({text, static_cast<size_t>(length)});
}

}  // namespace coldread::fuse
