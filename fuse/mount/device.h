// dev/cachefiles and dev/anon/<object id>: the daemon's side of the mount.
//
// The device behaves as the kernel's: one opener, one message for each read, commands by write,
// poll, and release when the last copy of the descriptor goes. An fd cannot be put into a process
// through FUSE: an OPEN message read from the mount carries fd -1, and the client opens
// dev/anon/<object id> itself. Each of its opens is one more copy of the anonymous fd; when the
// last has gone the object is closed. Until the first one the device keeps it, and closes it if it
// is closed itself or "restore" says that whoever read the OPEN is gone.
//
// Thread rules: the host's thread, on fibers.
#pragma once

#include <functional>
#include <map>

#include "fuse/mount/node.h"
#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread::fuse {

inline constexpr fuse_ino_t kDeviceInode = 3;
// An object's anonymous file has this inode number plus the object's id.
inline constexpr fuse_ino_t kAnonInodes = uint64_t{1} << 40;

// _IO(0x98, 1): READ_COMPLETE with the id by value, as FUSE lets it through. The kernel's own
// number says that the argument is a pointer, and so only works with one.
inline constexpr uint32_t kReadCompleteByValue = 0x9801;

class Device;

// The anonymous file of an object.
class AnonFile final : public Node {
 public:
  // Takes over the reference to `file`.
  AnonFile(Device& device, uint32_t object_id, FileHandle file);

  std::string path() const override { return "dev/anon/" + std::to_string(object_id_); }
  Attributes attributes() override;
  void open(Request& request) override;
  void write(Request& request) override;
  void lseek(Request& request) override;
  void ioctl(Request& request) override;
  void release(Request& request) override;
  void setattr(Request& request) override { request.error(EINVAL); }
  void fallocate(Request& request) override { request.error(ENODEV); }

 private:
  friend class Device;

  Device& device_;
  const uint32_t object_id_;
  FileHandle file_;         // null: closed
  unsigned opens_ = 0;      // that were not released
  bool claimed_ = false;    // it was opened once
  bool announced_ = false;  // by an OPEN that was read from the mount
};

// dev/anon.
class AnonDirectory final : public Node {
 public:
  explicit AnonDirectory(Device& device) : device_(device) {}
  Attributes attributes() override { return {S_IFDIR | 0700, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void lookup(Request& request) override;
  std::vector<DirectoryEntry> list() override;

 private:
  Device& device_;
};

// dev/cachefiles.
class Device final : public Node {
 public:
  // `capable`: whether whoever opens the device has CAP_SYS_ADMIN; may wait.
  Device(Kernel& kernel, std::function<bool(const Request&)> capable);

  // Gives the working directory of a process, in which it culls, with a reference; 0: none. May
  // wait.
  void use_working_directories(std::function<InodeNumber(uint32_t pid)> of) {
    working_directory_ = std::move(of);
  }

  // --- for whoever is no client of the mount ---

  // As the kernel's read() of the device by the process of `files`: a message, into `buffer`, or
  // what sys_read() answers; -EBADF: it is not open. OPEN's fd is a descriptor of `files`.
  ssize_t read_message(files_struct& files, UserBuffer buffer);
  // Makes the anonymous file that OPEN's fd stands for appear below dev/anon, until its last open
  // is released; takes over the reference. The object's id.
  uint32_t publish(FileHandle file);
  // Closes it again, if nobody has opened it.
  void withdraw(uint32_t object_id);
  // From now on nobody who reads an OPEN from the mount opens dev/anon/<object id>: clients that
  // wait in a read of an OPEN are redirected. `redirect` may wait; if it returns true, the client's
  // thread (its id is given) will ask again in another way when this read has been answered. False:
  // the OPEN fails with EIO.
  void redirect_opens(std::function<bool(uint32_t thread)> redirect);
  // What `call(kernel, file)` answers on the open file behind one of the mount's inodes, the device
  // or an object's: -EBADF if it is not open.
  template <typename Call>
  int64_t on_file(fuse_ino_t number, Call call) {
    const FileHandle file = opened(number);
    if (!file) return -EBADF;
    file->count.get();
    const int64_t result = call(kernel_, file);
    fput(kernel_, file);
    return result;
  }
  // Closes the device and all anonymous files as the daemon's end would.
  void close_all();
  CachefilesHandle cache() const;  // null: not open

  // --- the file ---
  std::string path() const override { return "dev/cachefiles"; }
  Attributes attributes() override { return {S_IFREG | 0600, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void read(Request& request) override;
  void write(Request& request) override;
  void poll(Request& request) override;
  void release(Request& request) override;
  void setattr(Request& request) override { request.error(EINVAL); }
  void fallocate(Request& request) override { request.error(ENODEV); }

 private:
  friend class AnonFile;
  friend class AnonDirectory;

  FileHandle opened(fuse_ino_t number) const;  // null: not open
  bool next_is_open() const;
  void close(FileHandle file);
  void close_device();
  std::shared_ptr<AnonFile> find(uint32_t object_id) const;
  void close_anon(AnonFile& anon);
  void close_unclaimed(bool (*which)(const AnonFile&));
  void forget_poll();
  static void notify(void* device);

  Kernel& kernel_;
  const std::function<bool(const Request&)> capable_;
  std::function<InodeNumber(uint32_t pid)> working_directory_;
  std::function<bool(uint32_t)> redirect_;
  files_struct client_files_;  // where OPEN's fds live for an instant
  FileHandle file_;            // null: not open
  std::map<uint32_t, std::shared_ptr<AnonFile>> anon_;
  // Closing may take its time, but close() of the mount's clients does not wait for it; who opens
  // next does.
  unsigned closing_ = 0;
  WaitQueue closed_;
  // Who polls: woken with every change, as long as the handle is there.
  std::unique_ptr<PollHandle> poll_handle_;
  WaitQueue::Entry poll_entry_{notify, this};
  WaitQueue* poll_queue_ = nullptr;
};

}  // namespace coldread::fuse
