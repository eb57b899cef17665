#include "sim/live/disk_calls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "sim/live/disk.h"

namespace coldread::live {
namespace {

using scenario::DiskCall;
using scenario::DiskOperation;

// ext4 takes blocks of its own with a file's: it takes a few attempts to come out even.
constexpr int kFillTries = 20;

int64_t answer(int64_t result) {
  return result < 0 ? -int64_t{errno} : 0;
}

// Modes are as given, whatever the umask.
int64_t make_directory(const std::string& path, uint32_t mode) {
  const int64_t made = answer(mkdir(path.c_str(), mode));
  return made < 0 ? made : answer(chmod(path.c_str(), mode));
}

int64_t make_parents(const std::string& directory, const std::string& path) {
  for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const int64_t made =
        make_directory(directory + "/" + path.substr(0, at), scenario::kMadeParentMode);
    if (made < 0 && made != -EEXIST) return made;
  }
  return 0;
}

bool write_all(int fd, std::span<const std::byte> data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t written = pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (written < 0) return false;
    data = data.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return true;
}

// Opens, lets `change` do its work, brings it to the disk.
template <typename Change>
int64_t with_file(const std::string& path, int flags, Change change) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  const int64_t result = answer(change(fd) && fsync(fd) == 0 ? 0 : -1);
  close(fd);
  return result;
}

int64_t create(const std::string& path, const DiskCall& call, std::span<const std::byte> contents) {
  return with_file(path, O_WRONLY | O_CREAT | O_EXCL, [&](int fd) {
    return fchmod(fd, call.mode) == 0 && write_all(fd, contents, 0) &&
           (!call.size || ftruncate(fd, static_cast<off_t>(*call.size)) == 0);
  });
}

int64_t look(const std::string& path, nlohmann::json* entry) {
  struct stat status;
  if (lstat(path.c_str(), &status) < 0) return -errno;
  Result<nlohmann::json> described = describe_path(path);
  if (!described) return -EIO;
  *entry = std::move(*described);
  return 0;
}

// Files of no length in a directory of their own, until so many inodes are left.
int64_t fill_inodes(const std::string& directory, uint64_t left) {
  struct statvfs status;
  for (size_t i = 0;; ++i) {
    if (statvfs(directory.c_str(), &status) < 0) return -errno;
    const std::string name = directory + "/" + std::to_string(i);
    if (status.f_ffree > left) {
      if (mknod(name.c_str(), S_IFREG | 0600, 0) < 0 && errno != EEXIST) return -errno;
    } else if (status.f_ffree == left || unlink(name.c_str()) < 0) {
      return 0;
    }
  }
}

// One file that is as long as it takes.
int64_t fill_blocks(const std::string& directory, uint64_t left) {
  const std::string path = directory + "/blocks";
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  int64_t result = 0;
  for (int tries = 0; tries < kFillTries; ++tries) {
    struct statvfs disk;
    struct stat file;
    if (fsync(fd) < 0 || fstatvfs(fd, &disk) < 0 || fstat(fd, &file) < 0) {
      result = -errno;
      break;
    }
    if (disk.f_bavail == left) break;
    const auto block = static_cast<off_t>(disk.f_bsize);
    const off_t more = (static_cast<off_t>(disk.f_bavail) - static_cast<off_t>(left)) * block;
    const int done = more > 0 ? fallocate(fd, 0, file.st_size, more)
                              : ftruncate(fd, std::max<off_t>(file.st_size + more, 0));
    if (done < 0) {
      result = -errno;
      break;
    }
  }
  close(fd);
  return result;
}

int64_t fill(const std::string& directory, const DiskCall& call) {
  const std::string inside = directory + "/fill";
  if (mkdir(inside.c_str(), 0700) < 0 && errno != EEXIST) return -errno;
  int64_t result = 0;
  if (call.files) result = fill_inodes(inside, *call.files);
  if (result == 0 && call.blocks) result = fill_blocks(inside, *call.blocks);
  return result;
}

int64_t remount(const std::string& directory, bool read_only) {
  const std::string mount_point = directory.substr(0, directory.rfind('/'));
  return answer(mount(nullptr, mount_point.c_str(), nullptr,
                      MS_REMOUNT | (read_only ? MS_RDONLY : 0), nullptr));
}

// Neither waits for anybody but writers, and there are none that never end.
int64_t freeze(const std::string& directory, unsigned long request) {
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int64_t result = answer(ioctl(fd, request, 0));
  close(fd);
  return result;
}

}  // namespace

int64_t change_disk(const std::string& directory, const DiskCall& call,
                    std::span<const std::byte> contents, nlohmann::json* entry) {
  const bool second =
      call.operation == DiskOperation::rename || call.operation == DiskOperation::link;
  if (scenario::makes_parents(call.operation)) {
    const int64_t made = make_parents(directory, second ? call.to : call.path);
    if (made < 0) return made;
  }
  const std::string path = directory + "/" + call.path;
  switch (call.operation) {
    case DiskOperation::mkdir:
      return make_directory(path, call.mode);
    case DiskOperation::create:
      return create(path, call, contents);
    case DiskOperation::write:
      return with_file(path, O_WRONLY,
                       [&](int fd) { return write_all(fd, contents, call.offset); });
    case DiskOperation::truncate:
      return answer(truncate(path.c_str(), static_cast<off_t>(call.size.value_or(0))));
    case DiskOperation::punch_hole:
      return with_file(path, O_WRONLY, [&](int fd) {
        return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         static_cast<off_t>(call.offset), static_cast<off_t>(call.length)) == 0;
      });
    case DiskOperation::unlink:
      return answer(unlink(path.c_str()));
    case DiskOperation::rmdir:
      return answer(rmdir(path.c_str()));
    case DiskOperation::rename:
      return answer(rename(path.c_str(), (directory + "/" + call.to).c_str()));
    case DiskOperation::link:
      return answer(link(path.c_str(), (directory + "/" + call.to).c_str()));
    case DiskOperation::symlink:
      return answer(symlink(call.to.c_str(), path.c_str()));
    case DiskOperation::mkfifo: {
      const int64_t made = answer(mkfifo(path.c_str(), call.mode));
      return made < 0 ? made : answer(chmod(path.c_str(), call.mode));
    }
    case DiskOperation::chmod:
      return answer(chmod(path.c_str(), call.mode));
    case DiskOperation::setxattr:
      return answer(
          lsetxattr(path.c_str(), call.xattr.c_str(), call.value.data(), call.value.size(), 0));
    case DiskOperation::removexattr:
      return answer(lremovexattr(path.c_str(), call.xattr.c_str()));
    case DiskOperation::look:
      return look(path, entry);
    case DiskOperation::fill:
      return fill(directory, call);
    case DiskOperation::remount:
      return remount(directory, call.read_only);
    case DiskOperation::freeze:
      return freeze(directory, FIFREEZE);
    case DiskOperation::thaw:
      return freeze(directory, FITHAW);
  }
  return -EINVAL;
}

}  // namespace coldread::live
