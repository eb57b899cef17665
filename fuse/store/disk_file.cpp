#include "fuse/store/disk_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

namespace coldread::fuse {
namespace {

// struct file_handle with room for what may follow it.
union HandleBuffer {
  file_handle handle;
  std::byte bytes[sizeof(file_handle) + MAX_HANDLE_SZ];
};

FileType type_of(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  return S_ISDIR(mode) ? FileType::directory : FileType::other;
}

StoredHandle handle_of(int fd) {
  StoredHandle stored;
  HandleBuffer buffer;
  buffer.handle.handle_bytes = MAX_HANDLE_SZ;
  int mount = 0;
  if (name_to_handle_at(fd, "", &buffer.handle, &mount, AT_EMPTY_PATH) < 0) return stored;
  if (buffer.handle.handle_bytes > stored.data.size()) return stored;
  stored.bytes = buffer.handle.handle_bytes;
  stored.type = buffer.handle.handle_type;
  std::memcpy(stored.data.data(), buffer.bytes + sizeof(file_handle), stored.bytes);
  return stored;
}

// Takes an fd over, or what opening it gave.
int describe(int fd, FoundFile* out) {
  if (fd < 0) return errno == EMFILE ? -ENFILE : -errno;
  struct stat status;
  if (fstat(fd, &status) < 0) {
    const int error = -errno;
    close(fd);
    return error;
  }
  out->fd = fd;
  out->identity = {status.st_dev, status.st_ino};
  out->type = type_of(status.st_mode);
  out->handle = handle_of(fd);
  return 0;
}

int describe_data(int fd, bool direct, FoundFile* out) {
  const int error = describe(fd, out);
  out->data = error == 0;
  out->direct = error == 0 && direct;
  return error;
}

// Calls `open_with` with O_DIRECT or without, as the file system takes it.
template <typename OpenWith>
int open_direct(bool direct, FoundFile* out, OpenWith open_with) {
  int fd = direct ? open_with(O_DIRECT) : -1;
  if (fd < 0 && (!direct || errno == EINVAL)) {
    direct = false;
    fd = open_with(0);
    // No readahead: it would bring pages of zeros for extents that were allocated and not written,
    // as a crash may leave them, and where there are pages SEEK_DATA sees data.
    if (fd >= 0) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  }
  return describe_data(fd, direct, out);
}

// Of a file that was just made.
int finish_new(int error, uint32_t mode, FoundFile* out) {
  if (error == 0) error = set_mode(out->fd, mode);
  if (error < 0 && out->fd >= 0) close(out->fd);
  out->temporary = true;
  return error;
}

// Early kernels make cache files without any permission. Their owner may not open them (root may),
// but may change that for a moment.
int open_against_mode(const FdPath& path, int flags) {
  struct stat status;
  if (stat(path.c_str(), &status) < 0) return -1;
  if (status.st_uid != geteuid() || (status.st_mode & 0600) == 0600) {
    errno = EACCES;
    return -1;
  }
  if (chmod(path.c_str(), (status.st_mode & 07777) | 0600) < 0) return -1;
  const int fd = open(path.c_str(), flags);
  const int error = errno;
  chmod(path.c_str(), status.st_mode & 07777);
  errno = error;
  return fd;
}

}  // namespace

CName::CName(std::string_view name) {
  const size_t length = std::min(name.size(), text_.size() - 1);
  std::copy_n(name.begin(), length, text_.begin());
  text_[length] = '\0';
}

FdPath::FdPath(int fd) {
  std::snprintf(text_.data(), text_.size(), "/proc/self/fd/%d", fd);
}

int open_name(int dir, std::string_view name, FoundFile* out) {
  open_how how{};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV;
  return describe(
      static_cast<int>(syscall(SYS_openat2, dir, CName(name).c_str(), &how, sizeof(how))), out);
}

int open_directory(int cwd, std::string_view path, FoundFile* out) {
  std::array<char, 4096> text;
  if (path.empty() || path.find('\0') != path.npos) return -ENOENT;
  if (path.size() >= text.size()) return -ENAMETOOLONG;
  *std::copy(path.begin(), path.end(), text.begin()) = '\0';
  return describe(openat(cwd, text.data(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), out);
}

int open_same(int fd, FoundFile* out) {
  return open_directory(fd, ".", out);
}

int open_data(int fd, bool direct, FoundFile* out) {
  const FdPath path(fd);
  return open_direct(direct, out, [&path, out](int flags) {
    int opened = open(path.c_str(), O_RDWR | O_CLOEXEC | flags);
    out->read_only = opened < 0 && errno == EROFS;
    if (out->read_only) opened = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
    if (opened < 0 && errno == EACCES) opened = open_against_mode(path, O_RDWR | O_CLOEXEC | flags);
    return opened;
  });
}

int open_handle(int mount, const StoredHandle& handle, FoundFile* out) {
  HandleBuffer buffer;
  buffer.handle.handle_bytes = handle.bytes;
  buffer.handle.handle_type = handle.type;
  std::memcpy(buffer.bytes + sizeof(file_handle), handle.data.data(), handle.bytes);
  return describe(open_by_handle_at(mount, &buffer.handle, O_PATH | O_CLOEXEC), out);
}

MountProbe probe_mount(const FoundFile& directory, bool use_handles) {
  MountProbe probe;
  probe.fd = openat(directory.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (probe.fd < 0 || !use_handles || directory.handle.bytes == 0) return probe;
  FoundFile same;
  if (open_handle(probe.fd, directory.handle, &same) < 0) return probe;
  close(same.fd);
  probe.handles = true;
  return probe;
}

int open_tmpfile(int dir, uint32_t mode, bool direct, FoundFile* out) {
  const int error = open_direct(direct, out, [dir, mode](int flags) {
    return openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC | flags, mode);
  });
  return finish_new(error == -EISDIR ? -EOPNOTSUPP : error, mode, out);
}

int open_new_file(int dir, const char* name, uint32_t mode, bool direct, FoundFile* out) {
  const int error = open_direct(direct, out, [dir, name, mode](int flags) {
    return openat(dir, name, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, mode);
  });
  return finish_new(error, mode, out);
}

int set_mode(int fd, uint32_t mode) {
  struct stat status;
  if (fstat(fd, &status) < 0) return -errno;
  if ((status.st_mode & 0777) == (mode & 0777)) return 0;
  return chmod(FdPath(fd).c_str(), (mode & 0777) | (status.st_mode & S_ISGID)) < 0 ? -errno : 0;
}

// A position behind the largest is refused, and taking one changes nothing.
int64_t find_max_file_size(int fd) {
  int64_t taken = 0;
  int64_t refused = std::numeric_limits<int64_t>::max();
  if (lseek(fd, refused, SEEK_SET) >= 0) return refused;
  while (refused - taken > 1) {
    const int64_t middle = taken + (refused - taken) / 2;
    (lseek(fd, middle, SEEK_SET) >= 0 ? taken : refused) = middle;
  }
  return taken;
}

bool sees_holes(int fd) {
  if (ftruncate(fd, off_t{1} << 20) < 0) return true;
  return lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO;
}

}  // namespace coldread::fuse
