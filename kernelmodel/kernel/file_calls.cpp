// System calls on a descriptor beside read, write, lseek, ioctl and poll: sharing it, and what the
// files of this kernel refuse.
#include <fcntl.h>

#include <limits>

#include "kernelmodel/kernel/file.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread {
namespace {

constexpr uint32_t kChangeableFlags = O_APPEND | O_NONBLOCK | O_NOATIME;  // SETFL_MASK

}  // namespace

int sys_dup(Kernel& kernel, int fd) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  const int copy = get_unused_fd_flags(kernel, 0);
  if (copy < 0)
    fput(kernel, file);
  else
    fd_install(kernel, copy, file);
  return copy;
}

ssize_t sys_pread(Kernel& kernel, int fd, UserBuffer buffer, int64_t offset) {
  if (offset < 0) return -EINVAL;
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  ssize_t result = -EBADF;
  if (!file->preads) {
    result = -ESPIPE;
  } else if (file->readable()) {
    const auto room = static_cast<uint64_t>(std::numeric_limits<int64_t>::max() - offset);
    const bool possible = file->ops->read != nullptr && buffer.size <= room;
    result = possible ? file->ops->read(kernel, file, buffer) : -EINVAL;
  }
  fput(kernel, file);
  return result;
}

int sys_fsync(Kernel& kernel, int fd) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  fput(kernel, file);
  return -EINVAL;
}

int sys_ftruncate(Kernel& kernel, int fd, int64_t length) {
  if (length < 0) return -EINVAL;
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  fput(kernel, file);
  return -EINVAL;
}

int sys_fallocate(Kernel& kernel, int fd, int64_t offset, int64_t length) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  const bool writable = file->writable();
  fput(kernel, file);
  if (offset < 0 || length <= 0) return -EINVAL;
  return writable ? -ENODEV : -EBADF;
}

int sys_mmap(Kernel& kernel, int fd, uint64_t length, bool writable) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  const bool allowed = file->readable() && (!writable || file->writable());
  fput(kernel, file);
  if (length == 0) return -EINVAL;
  return allowed ? -ENODEV : -EACCES;
}

int sys_fcntl(Kernel& kernel, int fd, int command, uint64_t argument) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  int result = 0;
  switch (command) {
    case F_GETFD:
      result = get_close_on_exec(kernel, fd) ? FD_CLOEXEC : 0;
      break;
    case F_SETFD:
      set_close_on_exec(kernel, fd, (argument & FD_CLOEXEC) != 0);
      break;
    case F_GETFL:
      result = static_cast<int>(file->flags);
      break;
    case F_SETFL:
      // Direct I/O is not for these files.
      if ((argument & O_DIRECT) != 0)
        result = -EINVAL;
      else
        file->flags = (static_cast<uint32_t>(argument) & kChangeableFlags) |
                      (file->flags & ~kChangeableFlags);
      break;
    default:
      result = -EINVAL;
  }
  fput(kernel, file);
  return result;
}

}  // namespace coldread
