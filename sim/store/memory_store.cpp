#include "sim/store/memory_store.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "sim/outcome_hash.h"
#include "sim/store/inode.h"

namespace coldread::sim {
namespace {

constexpr uint64_t kMaxOffset = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
constexpr InodeNumber kFirstInode = 12;  // 11 is ext4's lost+found
constexpr size_t kUsualInodes = 320;     // a volume's directories and a few more
constexpr size_t kMaxXattrName = 255;
constexpr size_t kMaxXattrValue = 65536;
// Room for xattrs as ext4 with 256-byte inodes has it: one block and what is left in the inode.
constexpr size_t kXattrBlockRoom = 4060;
constexpr size_t kXattrInodeRoom = 88;

bool has_range(uint64_t offset, uint64_t length) {
  return offset <= kMaxOffset && length <= kMaxOffset - offset;
}

bool is_aligned(uint64_t offset, std::span<const std::byte> data) {
  const auto address = reinterpret_cast<uintptr_t>(data.data());
  return (offset | data.size() | address) % kSectorSize == 0;
}

int check_xattr_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxXattrName) return -ERANGE;
  for (const std::string_view prefix : {"user.", "trusted.", "security."})
    if (name.substr(0, prefix.size()) == prefix) return name == prefix ? -EINVAL : 0;
  return -EOPNOTSUPP;
}

// What one takes on disk: a header, the name without its prefix, the value.
size_t xattr_room(std::string_view name, size_t value) {
  const size_t suffix = name.size() - name.find('.') - 1;
  return 16 + (suffix + 3) / 4 * 4 + (value + 3) / 4 * 4;
}

}  // namespace

MemoryStore::MemoryStore(StoreOptions options)
    : pool_(options.bytes / kBlockSize),
      read_only_(options.read_only),
      total_inodes_(std::max<uint64_t>(options.inodes, 1)),
      free_inodes_(total_inodes_ - std::min(total_inodes_ - 1, options.reserved_inodes) - 1),
      reserved_blocks_(options.reserved_blocks),
      block_(options.block),
      on_misuse_(std::move(options.on_misuse)) {
  inodes_.reserve(kUsualInodes);
  touched_.reserve(kUsualInodes);
  inodes_.resize(kFirstInode);
  inodes_[kRoot] = make_inode(kRoot, FileType::directory, 0755);
  inodes_[kRoot]->links = 2;
  inodes_[kRoot]->parent = kRoot;
}

MemoryStore::~MemoryStore() {
  for (Inode* inode : inodes_)
    if (inode != nullptr) destroy(inode);
}

void MemoryStore::misuse(std::string_view text) const {
  if (on_misuse_) on_misuse_(text);
}

int MemoryStore::find_regular(InodeNumber number, Inode** out) {
  *out = find(number);
  if (*out == nullptr) return -ESTALE;
  if ((*out)->type == FileType::directory) return -EISDIR;
  return (*out)->type == FileType::regular ? 0 : -EINVAL;
}

MemoryStore::Inode* MemoryStore::allocate(FileType type, uint32_t mode) {
  if (free_inodes_ == 0) return nullptr;
  if (type == FileType::directory && !pool_.take_blocks(1)) return nullptr;
  --free_inodes_;
  inodes_.push_back(make_inode(inodes_.size(), type, mode));
  return inodes_.back();
}

MemoryStore::Inode* MemoryStore::make_inode(InodeNumber number, FileType type, uint32_t mode) {
  return std::pmr::polymorphic_allocator<>(&memory_).new_object<Inode>(number, type, mode, pool_);
}

void MemoryStore::destroy(Inode* inode) {
  std::pmr::polymorphic_allocator<>(&memory_).delete_object(inode);
}

void MemoryStore::release(Inode& inode) {
  if (inode.type == FileType::directory) pool_.give_blocks(1);
  ++free_inodes_;
  outcome_ -= inode.contribution;
  destroy(std::exchange(inodes_[inode.number], nullptr));
}

void MemoryStore::get(InodeNumber inode) {
  if (Inode* found = find(inode); found != nullptr) take(*found);
}

void MemoryStore::take(Inode& inode) {
  ++inode.references;
  ++references_;
}

void MemoryStore::put(InodeNumber inode) {
  Inode* found = find(inode);
  if (found == nullptr) return;
  if (found->references == 0) {
    misuse("a reference to an inode is given back that nobody holds");
    return;
  }
  --found->references;
  --references_;
  release_if_unused(*found);
}

int MemoryStore::getattr(InodeNumber inode, FileAttributes* out) {
  const Inode* found = find(inode);
  if (found == nullptr) return -ESTALE;
  const FileData& data = data_of(*found);
  out->type = found->type;
  out->mode = found->mode;
  out->size = data.size();
  if (found->type == FileType::directory) out->size = found->links == 0 ? 0 : kBlockSize;
  out->links = found->links;
  out->sectors = data.allocated_blocks() * (kBlockSize / kSectorSize);
  return 0;
}

int MemoryStore::truncate(InodeNumber inode, uint64_t size) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (size > kMaxOffset) return -EINVAL;
  if (read_only_) return -EROFS;
  if (size > kMaxFileSize) return -EFBIG;
  touch(*found);
  found->data->truncate(size);
  return 0;
}

int MemoryStore::punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (offset > kMaxOffset || length == 0 || length > kMaxOffset) return -EINVAL;
  if (read_only_) return -EROFS;
  if (offset + length > kMaxFileSize) return -EFBIG;
  touch(*found);
  found->data->punch_hole(offset, offset + length);
  return 0;
}

int MemoryStore::zero_range(InodeNumber inode, uint64_t offset, uint64_t length) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (offset > kMaxOffset || length == 0 || length > kMaxOffset) return -EINVAL;
  if (read_only_) return -EROFS;
  if (offset + length > kMaxFileSize) return -EFBIG;
  touch(*found);
  found->data->zero(offset, offset + length);
  return 0;
}

ssize_t MemoryStore::getxattr(InodeNumber inode, std::string_view name,
                              std::span<std::byte> value) {
  const Inode* found = find(inode);
  if (found == nullptr) return -ESTALE;
  if (const int error = check_xattr_name(name); error < 0) return error;
  const auto xattr = found->xattrs.find(name);
  if (xattr == found->xattrs.end()) return -ENODATA;
  const std::vector<std::byte>& stored = xattr->second;
  if (!value.empty()) {
    if (stored.size() > value.size()) return -ERANGE;
    std::copy(stored.begin(), stored.end(), value.begin());
  }
  return static_cast<ssize_t>(stored.size());
}

int MemoryStore::setxattr(InodeNumber inode, std::string_view name,
                          std::span<const std::byte> value) {
  Inode* found = find(inode);
  if (found == nullptr) return -ESTALE;
  if (name.empty() || name.size() > kMaxXattrName) return -ERANGE;
  if (value.size() > kMaxXattrValue) return -E2BIG;
  if (read_only_) return -EROFS;
  if (const int error = check_xattr_name(name); error < 0) return error;

  const size_t room = xattr_room(name, value.size());
  size_t others = 0;
  for (const auto& [other, stored] : found->xattrs)
    if (other != name) others += xattr_room(other, stored.size());
  if (room > kXattrBlockRoom || room + others > kXattrBlockRoom + kXattrInodeRoom) return -ENOSPC;

  touch(*found);
  found->xattrs.emplace(memory_, name, {}).assign(value.begin(), value.end());
  return 0;
}

int MemoryStore::removexattr(InodeNumber inode, std::string_view name) {
  Inode* found = find(inode);
  if (found == nullptr) return -ESTALE;
  if (name.empty() || name.size() > kMaxXattrName) return -ERANGE;
  if (read_only_) return -EROFS;
  if (const int error = check_xattr_name(name); error < 0) return error;
  const auto xattr = found->xattrs.find(name);
  if (xattr == found->xattrs.end()) return -ENODATA;
  touch(*found);
  found->xattrs.erase(xattr);
  return 0;
}

int64_t MemoryStore::seek(InodeNumber inode, uint64_t offset, Whence whence) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  return whence == Whence::data ? found->data->seek_data(offset) : found->data->seek_hole(offset);
}

// ext4 maps a read piece by piece and zeroes holes itself; only pieces that reach the disk must be
// aligned. Every piece but the first begins at a block, so the first one on the disk decides.
bool MemoryStore::read_is_aligned(const Inode& inode, uint64_t offset,
                                  std::span<const std::byte> data) const {
  if (is_aligned(offset, data)) return true;
  const int64_t found = inode.data->seek_data(offset);
  if (found < 0) return true;
  const uint64_t skipped = static_cast<uint64_t>(found) - offset;
  return skipped >= data.size() || is_aligned(offset + skipped, data.subspan(skipped));
}

ssize_t MemoryStore::read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (!has_range(offset, data.size())) return -EINVAL;
  if (data.empty() || offset >= found->data->size()) return 0;
  if (offset + data.size() > kMaxFileSize) return -EINVAL;
  if (!read_is_aligned(*found, offset, data)) return -EINVAL;
  return static_cast<ssize_t>(found->data->read(offset, data));
}

ssize_t MemoryStore::write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (read_only_) return -EROFS;
  if (!has_range(offset, data.size())) return -EINVAL;
  if (data.empty()) return 0;
  if (offset >= kMaxFileSize) return -EFBIG;
  data = data.first(std::min<uint64_t>(data.size(), kMaxFileSize - offset));
  if (!is_aligned(offset, data)) return -EINVAL;
  touch(*found);
  if (!found->data->write(offset, data)) return -ENOSPC;
  return static_cast<ssize_t>(data.size());
}

int MemoryStore::write_buffered(InodeNumber inode, uint64_t offset,
                                std::span<const std::byte> data) {
  Inode* found = nullptr;
  if (const int error = find_regular(inode, &found); error < 0) return error;
  if (read_only_) return -EROFS;
  if (!has_range(offset, data.size())) return -EINVAL;
  if (offset + data.size() > kMaxFileSize) return -EFBIG;
  touch(*found);
  return data.empty() || found->data->write(offset, data) ? 0 : -ENOSPC;
}

void MemoryStore::fill_blocks(uint64_t left) {
  left /= kBlockSize / block_;
  pool_.give_blocks(std::exchange(filled_blocks_, 0));
  const uint64_t free = pool_.free_blocks();
  if (free <= left + reserved_blocks_) return;
  filled_blocks_ = free - left - reserved_blocks_;
  pool_.take_blocks(filled_blocks_);
}

void MemoryStore::fill_files(uint64_t left) {
  free_inodes_ += std::exchange(filled_files_, 0);
  if (free_inodes_ <= left) return;
  filled_files_ = free_inodes_ - left;
  free_inodes_ = left;
}

int MemoryStore::chmod(InodeNumber inode, uint32_t mode) {
  Inode* found = find(inode);
  if (found == nullptr) return -ESTALE;
  if (read_only_) return -EROFS;
  touch(*found);
  found->mode = mode & 07777;
  return 0;
}

int MemoryStore::statfs(FilesystemStatistics* out) {
  const uint64_t unit = kBlockSize / block_;
  out->block_size = block_;
  out->blocks = pool_.total_blocks() * unit;
  const uint64_t free = pool_.free_blocks();
  out->blocks_available = (free > reserved_blocks_ ? free - reserved_blocks_ : 0) * unit;
  out->files = total_inodes_;
  out->files_free = free_inodes_;
  return 0;
}

bool MemoryStore::was_written(InodeNumber inode, uint64_t offset, uint64_t length) {
  const Inode* found = find(inode);
  if (found == nullptr) return false;
  if (found->type != FileType::regular || length == 0) return true;
  if (!has_range(offset, length) || offset + length > kMaxFileSize) return false;
  return found->data->was_written(offset, length);
}

// Others than regular files have none.
const FileData& MemoryStore::data_of(const Inode& inode) const {
  return inode.data != nullptr ? *inode.data : no_data_;
}

void MemoryStore::touch(Inode& inode) {
  inode.is_known = false;
  if (inode.touched) return;
  inode.touched = true;
  touched_.push_back(inode.number);
}

uint64_t MemoryStore::contribution(const Inode& inode) const {
  if (inode.place == 0 || inode.links == 0) return 0;
  const FileData& data = data_of(inode);
  OutcomeHash hash;
  hash.add(inode.place);
  hash.add(static_cast<uint64_t>(inode.type));
  hash.add(inode.mode);
  hash.add(data.size());
  hash.add(inode.entries.size());
  for (const auto& [name, value] : inode.xattrs) {
    hash.add(name);
    hash.add(value);
  }
  for (const Extent& extent : data.extents()) {
    hash.add(extent.from);
    hash.add(extent.to);
  }
  return hash.value();
}

uint64_t MemoryStore::likeness(const Inode& inode) const {
  const FileData& data = data_of(inode);
  OutcomeHash hash;
  hash.add(inode.number);
  hash.add(inode.mode);
  hash.add(inode.links);
  hash.add(data.size());
  for (const auto& [name, value] : inode.xattrs) {
    hash.add(name);
    hash.add(value);
  }
  for (const auto& [name, entry] : inode.entries) {
    hash.add(name);
    hash.add(entry);
  }
  std::vector<std::byte> bytes(kBlockSize);
  for (const Extent& extent : data.extents()) {
    hash.add(extent.from);
    for (uint64_t at = extent.from; at < extent.to; at += bytes.size())
      hash.add(std::span(bytes).first(data.read(at, bytes)));
  }
  return hash.value();
}

uint64_t MemoryStore::state() {
  OutcomeHash hash;
  for (const auto& inode : inodes_) {
    if (inode == nullptr) continue;
    if (!inode->is_known) {
      inode->is_known = true;
      inode->likeness = likeness(*inode);
    }
    hash.add(inode->likeness);
    hash.add(inode->references);
  }
  return hash.value();
}

uint64_t MemoryStore::outcome() {
  for (const InodeNumber number : touched_) {
    Inode* const inode = inodes_[number];
    if (inode == nullptr) continue;
    outcome_ -= inode->contribution;
    inode->contribution = contribution(*inode);
    outcome_ += inode->contribution;
    inode->touched = false;
  }
  touched_.clear();
  return outcome_;
}

std::vector<MemoryStore::HeldInode> MemoryStore::held() const {
  std::vector<HeldInode> found;
  if (references_ == 0) return found;
  for (const auto& inode : inodes_)
    if (inode != nullptr && inode->references != 0)
      found.push_back({inode->number, inode->references});
  return found;
}

}  // namespace coldread::sim
