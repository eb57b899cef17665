// Inodes as such: opening the store, attributes, contents, and the file system as a whole.
#include "fuse/store/directory_store.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "fuse/cached_read.h"
#include "fuse/store/use.h"

namespace coldread::fuse {
namespace {

constexpr uint64_t kMaxOffset = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
constexpr long kPageSize = 4096;
constexpr const char* kXattr = "user.CacheFiles.cache";
constexpr size_t kMaxXattrName = 255;
constexpr uint64_t kSector = 512;

size_t default_max_open() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) return 65536;
  return std::max<size_t>(limit.rlim_cur / 2, 16);
}

// What a buffered file is asked for, so that it answers as one with O_DIRECT does.
bool is_aligned(uint64_t offset, std::span<const std::byte> data) {
  const auto address = reinterpret_cast<uintptr_t>(data.data());
  return (offset | data.size() | address) % kSector == 0;
}

// -EINVAL, or whether there is anything to transfer.
int check_transfer(const DiskInode& inode, uint64_t offset, std::span<const std::byte> data) {
  if (offset > kMaxOffset || data.size() > kMaxOffset - offset) return -EINVAL;
  if (data.empty()) return 0;
  return inode.direct || is_aligned(offset, data) ? 1 : -EINVAL;
}

// Whether statfs() just adds up counters, so that it waits for nothing.
bool counts_blocks_in_memory(const struct statfs& statistics) {
  const auto type = static_cast<uint64_t>(statistics.f_type);
  return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == TMPFS_MAGIC;
}

// An fd that holds the lock; -EBUSY: somebody else does; -1: there is no lock to be had.
int lock_directory(int directory) {
  const int fd = open(FdPath(directory).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  const int error = answer([&] { return flock(fd, LOCK_EX | LOCK_NB); });
  if (error == 0) return fd;
  close(fd);
  return error == -EWOULDBLOCK ? -EBUSY : -1;
}

bool is_xattr_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxXattrName;
}

}  // namespace

DirectoryStore::DirectoryStore(Offload& offload, DirectoryStoreOptions options, size_t max_open)
    : offload_(offload),
      options_(std::move(options)),
      table_(max_open, options_.on_misuse),
      next_serial_((uint64_t{std::random_device()()} << 32)) {}

DirectoryStore::~DirectoryStore() {
  if (lock_ >= 0) close(lock_);
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(Offload& offload,
                                                             const std::string& directory,
                                                             DirectoryStoreOptions options) {
  FoundFile found;
  int error = open_directory(AT_FDCWD, directory, &found);
  // The user's own path may end in a symbolic link.
  if (error == -ENOTDIR) error = open_directory(AT_FDCWD, directory + "/", &found);
  if (error < 0) {
    return Error{fmt::format("{}: expected a directory for the cache: {}", directory,
                             std::strerror(-error))};
  }
  const size_t max_open = options.max_open != 0 ? options.max_open : default_max_open();
  const bool handles = options.handles;
  std::unique_ptr<DirectoryStore> store(new DirectoryStore(offload, std::move(options), max_open));
  const MountProbe probe = probe_mount(found, handles);
  store->table_.add_filesystem(found.identity.device, probe.fd, probe.handles);
  store->root_ = store->table_.add(found).number;
  store->cache_ = store->root_;
  store->get(store->cache_);
  return store;
}

DirectoryStore::Use::Use(DirectoryStore& store, InodeNumber number, Need need)
    : store_(store), inode_(store.table_.find(number)) {
  if (inode_ == nullptr) {
    error_ = -ESTALE;
    return;
  }
  store_.table_.begin_call(*inode_);
  const FileType type = inode_->type;
  if (need == Need::directory && type != FileType::directory) error_ = -ENOTDIR;
  const bool data = need == Need::data || need == Need::change;
  if (data && type == FileType::directory) error_ = -EISDIR;
  if (data && type == FileType::other) error_ = -EINVAL;
  if (error_ == 0) error_ = store_.reopen(*inode_, data);
  if (error_ < 0) return;
  fd_ = inode_->fd;
  changes_ = need == Need::change;
  if (changes_) ++inode_->changes;
}

// Makes sure of an fd, for data of one that reads and writes.
int DirectoryStore::reopen(DiskInode& inode, bool data) {
  if (inode.fd >= 0 && (inode.data || !data)) return 0;
  FoundFile found;
  const int error = call([&inode, &found, data, held = inode.fd, direct = options_.direct] {
    FoundFile by_handle;
    if (held < 0) {
      const int gone = open_handle(inode.filesystem->mount, inode.handle, &by_handle);
      if (gone < 0) return gone;
      if (!data) {
        found = by_handle;
        return 0;
      }
    }
    const int opened = open_data(held >= 0 ? held : by_handle.fd, direct, &found);
    if (held < 0) close(by_handle.fd);
    return opened;
  });
  if (error == 0) table_.reopened(inode, found);
  return error;
}

int DirectoryStore::getattr(InodeNumber inode, FileAttributes* out) {
  const Use use(*this, inode, Need::anything);
  if (use.error() < 0) return use.error();
  struct statx status;
  // A look at what the kernel has in memory, which does not block.
  const int error = answer([&] {
    return statx(use.fd(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status);
  });
  if (error < 0) return error;
  out->type = use.inode().type;
  out->mode = status.stx_mode & 07777;
  out->size = status.stx_size;
  out->links = status.stx_nlink - (use.inode().temporary.dir >= 0 ? 1 : 0);
  out->sectors = status.stx_blocks;
  return 0;
}

int DirectoryStore::truncate(InodeNumber inode, uint64_t size) {
  const Use use(*this, inode, Need::change);
  if (use.error() < 0) return use.error();
  if (size > kMaxOffset) return -EINVAL;
  if (use.inode().read_only) return -EROFS;
  return call(
      [&] { return answer([&] { return ftruncate(use.fd(), static_cast<off_t>(size)); }); });
}

int DirectoryStore::change_range(InodeNumber inode, int mode, uint64_t offset, uint64_t length) {
  const Use use(*this, inode, Need::change);
  if (use.error() < 0) return use.error();
  if (offset > kMaxOffset || length == 0 || length > kMaxOffset) return -EINVAL;
  if (use.inode().read_only) return -EROFS;
  // In a buffered file a zeroed range looks like data once it was read, even where it was a hole.
  if (!use.inode().direct) mode = FALLOC_FL_PUNCH_HOLE;
  return call([&] {
    return answer([&] {
      return fallocate(use.fd(), mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                       static_cast<off_t>(length));
    });
  });
}

int DirectoryStore::punch_hole(InodeNumber inode, uint64_t offset, uint64_t length) {
  return change_range(inode, FALLOC_FL_PUNCH_HOLE, offset, length);
}

int DirectoryStore::zero_range(InodeNumber inode, uint64_t offset, uint64_t length) {
  return change_range(inode, FALLOC_FL_ZERO_RANGE, offset, length);
}

ssize_t DirectoryStore::getxattr(InodeNumber inode, std::string_view name,
                                 std::span<std::byte> value) {
  const Use use(*this, inode, Need::anything);
  if (use.error() < 0) return use.error();
  if (!is_xattr_name(name)) return -ERANGE;
  return call([&] {
    return answer([&] {
      return ::getxattr(FdPath(use.fd()).c_str(), CName(name).c_str(), value.data(), value.size());
    });
  });
}

int DirectoryStore::setxattr(InodeNumber inode, std::string_view name,
                             std::span<const std::byte> value) {
  const Use use(*this, inode, Need::anything);
  if (use.error() < 0) return use.error();
  if (!is_xattr_name(name)) return -ERANGE;
  return call([&] {
    return answer([&] {
      return ::setxattr(FdPath(use.fd()).c_str(), CName(name).c_str(), value.data(), value.size(),
                        0);
    });
  });
}

int DirectoryStore::removexattr(InodeNumber inode, std::string_view name) {
  const Use use(*this, inode, Need::anything);
  if (use.error() < 0) return use.error();
  if (!is_xattr_name(name)) return -ERANGE;
  return call([&] {
    return answer([&] { return ::removexattr(FdPath(use.fd()).c_str(), CName(name).c_str()); });
  });
}

int64_t DirectoryStore::seek(InodeNumber inode, uint64_t offset, Whence whence) {
  const Use use(*this, inode, Need::data);
  if (use.error() < 0) return use.error();
  if (offset > kMaxOffset) return -ENXIO;
  const int where = whence == Whence::data ? SEEK_DATA : SEEK_HOLE;
  const auto find = [&] {
    return answer([&] { return lseek(use.fd(), static_cast<off_t>(offset), where); });
  };
  // It waits for the disk when the extents are not in memory, which they are from the first time
  // on, and for others who hold the inode's lock, which only we do. A helper takes ten times as
  // long, and most calls of a cold read are seeks.
  if (use.inode().sought && use.inode().changes == 0) return find();
  const int64_t found = call(find);
  use.inode().sought = true;
  return found;
}

ssize_t DirectoryStore::read(InodeNumber inode, uint64_t offset, std::span<std::byte> data) {
  const Use use(*this, inode, Need::data);
  if (use.error() < 0) return use.error();
  if (const int check = check_transfer(use.inode(), offset, data); check <= 0) return check;
  if (!use.inode().direct && read_cached(use.fd(), data, offset))
    return static_cast<ssize_t>(data.size());
  return call([&] {
    return answer(
        [&] { return pread(use.fd(), data.data(), data.size(), static_cast<off_t>(offset)); });
  });
}

ssize_t DirectoryStore::write(InodeNumber inode, uint64_t offset, std::span<const std::byte> data) {
  const Use use(*this, inode, Need::change);
  if (use.error() < 0) return use.error();
  if (use.inode().read_only) return -EROFS;
  if (const int check = check_transfer(use.inode(), offset, data); check <= 0) return check;
  return call([&] {
    return answer(
        [&] { return pwrite(use.fd(), data.data(), data.size(), static_cast<off_t>(offset)); });
  });
}

// What no system call tells is found out with a file that never gets a name.
bool DirectoryStore::can_hold_cache(InodeNumber dir) {
  const Use use(*this, dir, Need::directory);
  Filesystem* filesystem = use.error() < 0 ? nullptr : use.inode().filesystem;
  if (filesystem == nullptr) return false;
  unlock_cache();
  get(dir);
  put(std::exchange(cache_, dir));
  int64_t max_file_size = filesystem->max_file_size;
  bool counts_in_memory = false;
  const bool can = call([&] {
    lock_ = lock_directory(use.fd());
    struct statfs statistics;
    if (fstatfs(use.fd(), &statistics) < 0 || statistics.f_bsize > kPageSize) return false;
    counts_in_memory = counts_blocks_in_memory(statistics);
    const ssize_t xattr = ::getxattr(FdPath(use.fd()).c_str(), kXattr, nullptr, 0);
    if (xattr < 0 && errno == EOPNOTSUPP) return false;
    if ((static_cast<uint64_t>(statistics.f_flags) & ST_RDONLY) != 0) return true;
    FoundFile file;
    TemporaryName temporary;
    if (make_file(use.fd(), 0600, &file, &temporary) < 0) return true;  // bind will say why
    max_file_size = find_max_file_size(file.fd);
    const bool found = sees_holes(file.fd);
    close_now({file.fd, temporary});
    return found;
  });
  filesystem->max_file_size = max_file_size;
  filesystem->counts_in_memory = counts_in_memory;
  return can;
}

// Once nobody but the store itself holds the directory, there is no cache in it. A copy of the fd
// that a child has would keep the lock, so closing is not enough.
void DirectoryStore::put(InodeNumber inode) {
  table_.put(inode);
  if (inode == cache_ && table_.references(cache_) <= (cache_ == root_ ? 2u : 1u)) unlock_cache();
}

void DirectoryStore::unlock_cache() {
  if (lock_ >= 0) {
    flock(lock_, LOCK_UN);
    table_.close_later(lock_);
  }
  lock_ = -1;
}

int DirectoryStore::statfs(FilesystemStatistics* out) {
  if (lock_ == -EBUSY) return -EBUSY;
  const Use use(*this, cache_, Need::directory);
  if (use.error() < 0) return use.error();
  struct statfs statistics;
  const auto ask = [&] { return answer([&] { return fstatfs(use.fd(), &statistics); }); };
  const Filesystem* filesystem = use.inode().filesystem;
  // Asked before each write.
  const bool counted = filesystem != nullptr && filesystem->counts_in_memory;
  const int error = counted ? ask() : call(ask);
  if (error < 0) return error;
  out->block_size = static_cast<uint32_t>(statistics.f_bsize);
  out->blocks = statistics.f_blocks;
  out->blocks_available = statistics.f_bavail;
  out->files = statistics.f_files;
  out->files_free = statistics.f_ffree;
  return 0;
}

bool DirectoryStore::read_only() {
  const Use use(*this, cache_, Need::directory);
  struct statfs statistics {};
  const bool known =
      use.error() == 0 &&
      call([&] { return answer([&] { return fstatfs(use.fd(), &statistics); }); }) == 0;
  return known && (static_cast<uint64_t>(statistics.f_flags) & ST_RDONLY) != 0;
}

int DirectoryStore::sync() {
  const Use use(*this, cache_, Need::directory);
  if (use.error() < 0) return use.error();
  const Filesystem* filesystem = use.inode().filesystem;
  if (filesystem == nullptr || filesystem->mount < 0) return -EACCES;
  return call([&] { return answer([&] { return syncfs(filesystem->mount); }); });
}

int64_t DirectoryStore::max_file_size() {
  const Use use(*this, cache_, Need::directory);
  if (use.error() < 0) return std::numeric_limits<int64_t>::max();
  const Filesystem* filesystem = use.inode().filesystem;
  return filesystem == nullptr ? std::numeric_limits<int64_t>::max() : filesystem->max_file_size;
}

}  // namespace coldread::fuse
