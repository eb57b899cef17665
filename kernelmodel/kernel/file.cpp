// Descriptor tables, open files and the system calls on them.
#include "kernelmodel/kernel/file.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <limits>

#include "kernelmodel/kernel/kernel.h"

namespace coldread {

int copy_to_user(UserBuffer to, std::span<const std::byte> from) {
  if (to.memory != nullptr) return to.memory->write(from.first(std::min(to.size, from.size())));
  if (to.faults) return -EFAULT;
  std::memcpy(to.data, from.data(), std::min(to.size, from.size()));
  return 0;
}

files_struct::files_struct(Kernel& kernel, int lowest, int limit)
    : file_lock(kernel.scheduler, LockClass::files_lock),
      slots(&kernel.scheduler.memory()),
      first_fd(lowest),
      rlimit(limit) {}

files_struct::files_struct(Kernel& kernel, DescriptorNumbers& real)
    : file_lock(kernel.scheduler, LockClass::files_lock),
      slots(&kernel.scheduler.memory()),
      first_fd(0),
      rlimit(0),
      numbers(&real) {}

namespace {

files_struct& current_files(Kernel& kernel) {
  return *kernel.scheduler.current()->files;
}

files_struct::Slot* slot_of(files_struct& files, int fd) {
  const auto index = static_cast<size_t>(fd - files.first_fd);
  if (fd < files.first_fd || index >= files.slots.size()) return nullptr;
  return &files.slots[index];
}

void give_back_slot(files_struct& files, int fd) {
  *slot_of(files, fd) = {};
  files.next_fd = std::min(files.next_fd, static_cast<size_t>(fd - files.first_fd));
}

}  // namespace

int get_unused_fd_flags(Kernel& kernel, uint32_t flags) {
  files_struct& files = current_files(kernel);
  if (files.numbers != nullptr) return files.numbers->reserve(flags);
  files.file_lock.lock();
  size_t index = files.next_fd;
  while (index < files.slots.size() && files.slots[index].used) index++;
  const int fd = files.first_fd + static_cast<int>(index);
  if (fd >= files.rlimit) {
    files.file_lock.unlock();
    return -EMFILE;
  }
  if (index == files.slots.size()) files.slots.push_back({});
  files.slots[index].used = true;
  files.slots[index].close_on_exec = (flags & O_CLOEXEC) != 0;
  files.next_fd = index + 1;
  files.file_lock.unlock();
  return fd;
}

void put_unused_fd(Kernel& kernel, int fd) {
  files_struct& files = current_files(kernel);
  if (files.numbers != nullptr) return files.numbers->put_unused(fd);
  files.file_lock.lock();
  if (slot_of(files, fd) != nullptr) give_back_slot(files, fd);
  files.file_lock.unlock();
}

void fd_install(Kernel& kernel, int fd, FileHandle file) {
  files_struct& files = current_files(kernel);
  if (files.numbers != nullptr) return files.numbers->install(fd, file);
  files.file_lock.lock();
  slot_of(files, fd)->file = file;
  files.file_lock.unlock();
}

FileHandle alloc_file(Kernel& kernel, const FileOperations& ops, uint32_t flags) {
  return kernel.files.create(kernel.scheduler, ops, flags);
}

FileHandle fget(Kernel& kernel, int fd) {
  files_struct& files = current_files(kernel);
  files.file_lock.lock();
  files_struct::Slot* slot = slot_of(files, fd);
  const FileHandle file = slot != nullptr ? slot->file : FileHandle();
  if (file) file->count.get();
  files.file_lock.unlock();
  return file;
}

namespace {

void release_file(Kernel& kernel, FileHandle file) {
  if (file->ops->release != nullptr) file->ops->release(kernel, file);
  kernel.files.destroy(file);
}

}  // namespace

void fput(Kernel& kernel, FileHandle file) {
  if (file->count.put()) release_file(kernel, file);
}

int close_fd(Kernel& kernel, int fd) {
  files_struct& files = current_files(kernel);
  files.file_lock.lock();
  files_struct::Slot* slot = slot_of(files, fd);
  const FileHandle file = slot != nullptr ? slot->file : FileHandle();
  if (file) give_back_slot(files, fd);
  files.file_lock.unlock();
  if (!file) return -EBADF;
  fput(kernel, file);
  return 0;
}

bool get_close_on_exec(Kernel& kernel, int fd) {
  files_struct& files = current_files(kernel);
  files.file_lock.lock();
  const files_struct::Slot* slot = slot_of(files, fd);
  const bool set = slot != nullptr && slot->close_on_exec;
  files.file_lock.unlock();
  return set;
}

void set_close_on_exec(Kernel& kernel, int fd, bool set) {
  files_struct& files = current_files(kernel);
  files.file_lock.lock();
  if (files_struct::Slot* slot = slot_of(files, fd)) slot->close_on_exec = set;
  files.file_lock.unlock();
}

void dup_fd(Kernel& kernel, files_struct& to) {
  files_struct& from = current_files(kernel);
  from.file_lock.lock();
  to.slots = from.slots;
  to.rlimit = from.rlimit;
  for (files_struct::Slot& slot : to.slots) {
    if (slot.file)
      slot.file->count.get();
    else
      slot = {};  // what is only reserved stays behind
  }
  to.next_fd = 0;
  from.file_lock.unlock();
}

void exit_files(Kernel& kernel, files_struct& files) {
  std::pmr::vector<FileHandle> last(&kernel.scheduler.memory());
  for (files_struct::Slot& slot : files.slots) {
    const FileHandle file = slot.file;
    slot = {};
    if (file && file->count.put()) last.push_back(file);
  }
  files.next_fd = 0;
  // The releases wait in a stack until all numbers are free.
  for (; !last.empty(); last.pop_back()) release_file(kernel, last.back());
}

ssize_t sys_read(Kernel& kernel, int fd, UserBuffer buffer) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  ssize_t result = -EBADF;
  if (file->readable()) {
    result = file->ops->read != nullptr ? file->ops->read(kernel, file, buffer) : -EINVAL;
  }
  fput(kernel, file);
  return result;
}

ssize_t sys_write(Kernel& kernel, int fd, UserData data) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  ssize_t result = -EBADF;
  if (file->writable()) {
    if (file->ops->write != nullptr) {
      result = file->ops->write(kernel, file, data);
    } else if (file->ops->write_iter != nullptr) {
      int64_t pos = file->pos;
      result = file->ops->write_iter(kernel, file, data, &pos);
      if (result >= 0) file->pos = pos;
    } else {
      result = -EINVAL;
    }
  }
  fput(kernel, file);
  return result;
}

ssize_t sys_pwrite(Kernel& kernel, int fd, UserData data, int64_t offset) {
  if (offset < 0) return -EINVAL;
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  ssize_t result = -EBADF;
  if (!file->seekable) {
    result = -ESPIPE;
  } else if (file->writable()) {
    if (static_cast<uint64_t>(offset) + data.bytes.size() >
        static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      result = -EINVAL;
    } else if (file->ops->write != nullptr) {
      result = file->ops->write(kernel, file, data);
    } else if (file->ops->write_iter != nullptr) {
      int64_t pos = offset;
      result = file->ops->write_iter(kernel, file, data, &pos);
    } else {
      result = -EINVAL;
    }
  }
  fput(kernel, file);
  return result;
}

int64_t sys_lseek(Kernel& kernel, int fd, int64_t offset, int whence) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  int64_t result = -ESPIPE;
  if (whence < SEEK_SET || whence > SEEK_HOLE) {
    result = -EINVAL;
  } else if (file->seekable && file->ops->llseek != nullptr) {
    result = file->ops->llseek(kernel, file, offset, whence);
  }
  fput(kernel, file);
  return result;
}

int64_t sys_ioctl(Kernel& kernel, int fd, uint32_t request, uint64_t argument) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return -EBADF;
  const int64_t result = file->ops->ioctl != nullptr
                             ? file->ops->ioctl(kernel, file, request, argument)
                             : int64_t{-ENOTTY};
  fput(kernel, file);
  return result;
}

int64_t sys_poll(Kernel& kernel, int fd, uint32_t events, TimeNs deadline) {
  const FileHandle file = fget(kernel, fd);
  if (!file) return POLLNVAL;
  Scheduler& scheduler = kernel.scheduler;
  WaitQueue* queue =
      file->ops->poll_queue != nullptr ? file->ops->poll_queue(kernel, file) : nullptr;
  WaitQueue::Entry entry(*scheduler.current());
  int64_t result = 0;
  while (true) {
    if (queue != nullptr) queue->add(entry);
    const uint32_t mask =
        file->ops->poll != nullptr ? file->ops->poll(kernel, file) : uint32_t{POLLIN | POLLOUT};
    result = mask & (events | POLLERR | POLLHUP);
    if (result != 0) break;
    if (scheduler.current()->fatal_signal || scheduler.current()->signal_pending) {
      result = -EINTR;
      break;
    }
    if (deadline == 0 || scheduler.now() >= deadline) break;
    if (queue != nullptr && entry.woken()) continue;
    const WaitReason reason{"poll", file->ops->name, true, false, true, queue};
    if (deadline == kForever) {
      scheduler.block(reason);
    } else {
      scheduler.block_until(reason, deadline);
    }
  }
  if (queue != nullptr) queue->remove(entry);
  fput(kernel, file);
  return result;
}

}  // namespace coldread
