// The listener of a seccomp filter (SECCOMP_RET_USER_NOTIF): system calls come in, each held until
// it is answered.
//
// Threads: one at a time receives; everything else may be called from any thread. Lifetime: whoever
// has a call to answer keeps a reference; when the last is gone, calls that are still held fail
// with ENOSYS, as do all that would come.
#pragma once

#include <linux/seccomp.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace coldread::fuse {

class Listener {
 public:
  explicit Listener(int fd);  // takes over the descriptor
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  enum class Received {
    call,
    nothing,  // there is none, or its thread was killed meanwhile
    ended,    // nobody has the filter any more
  };
  Received receive(seccomp_notif* call) const;  // does not wait
  // Waits for a call, the filter's end, or `stop` to become readable: then it is false.
  bool wait(int stop) const;

  int fd() const { return fd_; }

  // Whether the call is still held, so that what was read from its process meanwhile is that
  // process' and not another's with the same number (SECCOMP_IOCTL_NOTIF_ID_VALID).
  bool still_held(uint64_t id) const;

  // Each ends the call; nothing happens if its thread is gone.
  void let_through(uint64_t id) const;             // the kernel executes it
  void answer(uint64_t id, int64_t result) const;  // a value, or a negative errno

  // A copy of `fd` for the caller of a held call (SECCOMP_IOCTL_NOTIF_ADDFD): at `number`, which it
  // replaces, or at the lowest free one. The number, or -ENOENT (the thread is gone), -EMFILE,
  // -EBADF (`number` beyond its limit).
  int add_fd(uint64_t id, int fd, std::optional<int> number, bool close_on_exec) const;
  // The same for a file of our own mount, which is opened for it: also what open() answers. If we
  // are killed meanwhile the mount ends nevertheless, and the caller of the held call gets ENOSYS.
  int add_opened(uint64_t id, const std::string& path, int flags, std::optional<int> number,
                 bool close_on_exec) const;

 private:
  int fd_;
};

}  // namespace coldread::fuse
