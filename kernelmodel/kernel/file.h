// Open files and descriptor tables: what the anonymous fd of an OPEN message lives in.
//
// Models struct file, struct files_struct and the part of fs/file.c between a driver and a process:
// a descriptor may be reserved before there is a file behind it, and a file is released by whoever
// drops its last reference.
//
// Threads: the functions act for the current task, on its process' table, and may block it.
// Lifetime: a File lives while somebody holds a reference (alloc_file and fget give one, fput ends
// it); a files_struct outlives the tasks of its process.
#pragma once

#include <fcntl.h>
#include <sys/types.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <type_traits>
#include <vector>

#include "kernelmodel/kernel/pool.h"
#include "kernelmodel/kernel/ref_count.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/wait_queue.h"
#include "kernelmodel/ports/scheduler.h"

namespace coldread {

struct Kernel;
class File;
using FileHandle = Handle<File>;

// The memory of a process that is none of this run's: a real daemon's. Called from a task, which it
// may block. Lifetime: until the system call that uses it has returned.
class UserMemory {
 public:
  // All of `from`, to where the buffer begins: 0 or -EFAULT.
  virtual int write(std::span<const std::byte> from) = 0;

 protected:
  ~UserMemory() = default;
};

// A user buffer that may be bad from some byte on (a fault is -EFAULT for the whole copy).
struct UserBuffer {
  std::byte* data = nullptr;
  size_t size = 0;
  bool faults = false;
  UserMemory* memory = nullptr;  // not null: asked in place of `data`
};
int copy_to_user(UserBuffer to, std::span<const std::byte> from);  // 0 or -EFAULT

// The same for memory that the kernel reads.
struct UserData {
  UserData(std::span<const std::byte> memory, bool bad = false) : bytes(memory), faults(bad) {}
  UserData(const std::byte* data, size_t size) : UserData({data, size}, false) {}
  std::span<const std::byte> bytes;
  bool faults;
};

// struct file_operations. Null members: what the VFS answers in their place stands behind each.
// Called with a reference to the file held, `release` with none left. 0 or a count, or a negative
// errno; poll: a mask of <poll.h>. The struct is a constant.
struct FileOperations {
  const char* name = "";
  int (*release)(Kernel&, FileHandle) = nullptr;
  ssize_t (*read)(Kernel&, FileHandle, UserBuffer) = nullptr;  // -EINVAL
  ssize_t (*write)(Kernel&, FileHandle, UserData) = nullptr;   // -EINVAL
  // Writes at *pos and advances it: write() passes the file's own, pwrite() a copy.
  ssize_t (*write_iter)(Kernel&, FileHandle, UserData, int64_t* pos) = nullptr;
  int64_t (*llseek)(Kernel&, FileHandle, int64_t offset, int whence) = nullptr;          // -ESPIPE
  int64_t (*ioctl)(Kernel&, FileHandle, uint32_t request, uint64_t argument) = nullptr;  // -ENOTTY
  uint32_t (*poll)(Kernel&, FileHandle) = nullptr;  // POLLIN | POLLOUT
  // The queue a poller of this file waits on; null: never changes.
  WaitQueue* (*poll_queue)(Kernel&, FileHandle) = nullptr;
};

// struct file.
class File {
 public:
  File(Scheduler& scheduler, const FileOperations& operations, uint32_t open_flags)
      : ops(&operations), flags(open_flags), count(scheduler, "file->f_count", 1) {}

  bool readable() const { return (flags & O_ACCMODE) != O_WRONLY; }
  bool writable() const { return (flags & O_ACCMODE) != O_RDONLY; }

  const FileOperations* ops;
  uint32_t flags;        // O_RDWR, O_WRONLY ...
  bool seekable = true;  // FMODE_LSEEK | FMODE_PWRITE
  bool preads = true;    // FMODE_PREAD
  int64_t pos = 0;
  // private_data: a handle of the driver's, so that a stale one is noticed.
  template <typename T>
  void set_private(Handle<T> handle) {
    static_assert(std::is_trivially_copyable_v<Handle<T>> && sizeof(handle) == sizeof(private_));
    std::memcpy(private_.data(), &handle, sizeof(handle));
  }
  template <typename T>
  Handle<T> get_private() const {
    Handle<T> handle;
    std::memcpy(&handle, private_.data(), sizeof(handle));
    return handle;
  }

  RefCount count;

 private:
  alignas(void*) std::array<std::byte, 2 * sizeof(void*)> private_{};
};

// The descriptor numbers of a process that is none of this run's: a real daemon's. Called from a
// task, which it may block, and without locks held. Lifetime: that of the files_struct.
class DescriptorNumbers {
 public:
  virtual int reserve(uint32_t flags) = 0;  // the lowest free one; -EMFILE
  virtual void put_unused(int fd) = 0;      // a reserved one that was not installed
  // Gives the process `file` as the reserved `fd` and takes over the reference. Cannot fail: if the
  // process is gone, so is the file.
  virtual void install(int fd, FileHandle file) = 0;

 protected:
  ~DescriptorNumbers() = default;
};

// struct files_struct: one process' descriptors. rlimit is RLIMIT_NOFILE, exclusive.
struct files_struct {
  explicit files_struct(Kernel& kernel, int first_fd = 3, int limit = 1024);
  // Of a real process: all that can be done with it is to reserve and to install.
  files_struct(Kernel& kernel, DescriptorNumbers& real);

  struct Slot {
    bool used = false;           // reserved or installed
    FileHandle file;             // null while only reserved
    bool close_on_exec = false;  // FD_CLOEXEC
  };
  SpinLock file_lock;
  std::pmr::vector<Slot> slots;
  size_t next_fd = 0;  // index: no lower slot is free
  int first_fd;        // lower ones are stdin, stdout, stderr: never handed out
  int rlimit;
  DescriptorNumbers* const numbers = nullptr;  // null: the slots above count
};

// fs/file.c, fs/file_table.c. A reserved fd ends with fd_install() or put_unused_fd().
int get_unused_fd_flags(Kernel& kernel, uint32_t flags);  // -EMFILE; reserves the lowest
void put_unused_fd(Kernel& kernel, int fd);
void fd_install(Kernel& kernel, int fd, FileHandle file);  // takes over the reference
FileHandle alloc_file(Kernel& kernel, const FileOperations& ops, uint32_t flags);
FileHandle fget(Kernel& kernel, int fd);     // null: -EBADF; takes a reference
void fput(Kernel& kernel, FileHandle file);  // the last one calls release
int close_fd(Kernel& kernel, int fd);        // 0, -EBADF
bool get_close_on_exec(Kernel& kernel, int fd);
void set_close_on_exec(Kernel& kernel, int fd, bool set);  // of an open one
void exit_files(Kernel& kernel, files_struct& files);  // closes all; the highest is released first
// Fills an empty table with what the current task's process has open, as fork() does.
void dup_fd(Kernel& kernel, files_struct& to);

// The system calls (fs/read_write.c, fs/open.c, fs/fcntl.c ...) on a descriptor of the current
// task's process, with the VFS' own checks: -EBADF (not open, or not for this), then the file's own
// result, or: read, write: -EINVAL (no such operation); pwrite: -EINVAL (also offset < 0), -ESPIPE,
// -EOVERFLOW (the end over 2^63-1); lseek: -ESPIPE; ioctl: -ENOTTY. Offsets are bytes, whence is
// <unistd.h>'s.
ssize_t sys_read(Kernel& kernel, int fd, UserBuffer buffer);
ssize_t sys_pread(Kernel& kernel, int fd, UserBuffer buffer, int64_t offset);
ssize_t sys_write(Kernel& kernel, int fd, UserData data);
ssize_t sys_pwrite(Kernel& kernel, int fd, UserData data, int64_t offset);
int64_t sys_lseek(Kernel& kernel, int fd, int64_t offset, int whence);
int64_t sys_ioctl(Kernel& kernel, int fd, uint32_t request, uint64_t argument);
int sys_dup(Kernel& kernel, int fd);  // the lowest free descriptor; -EMFILE
// What files that are neither regular nor have such an operation answer, as all files here are:
// fsync and ftruncate -EINVAL; fallocate -EINVAL (offset < 0, length <= 0), -EBADF, -ENODEV; mmap
// -EINVAL (length 0), -EACCES (not for this), -ENODEV.
int sys_fsync(Kernel& kernel, int fd);
int sys_ftruncate(Kernel& kernel, int fd, int64_t length);
int sys_fallocate(Kernel& kernel, int fd, int64_t offset, int64_t length);
int sys_mmap(Kernel& kernel, int fd, uint64_t length, bool writable);  // MAP_SHARED
// F_GETFD, F_SETFD, F_GETFL, F_SETFL of <fcntl.h>; -EINVAL for any other.
int sys_fcntl(Kernel& kernel, int fd, int command, uint64_t argument);
// fs/select.c: polls one descriptor until any of `events` or the deadline (Scheduler::now()'s
// clock; 0: at once, kForever: never); returns the mask (POLLNVAL for a descriptor that is not
// open), 0 for a timeout, -EINTR for a signal.
inline constexpr TimeNs kForever = ~TimeNs{0};
int64_t sys_poll(Kernel& kernel, int fd, uint32_t events, TimeNs deadline);

}  // namespace coldread
