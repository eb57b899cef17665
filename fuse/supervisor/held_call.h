// System calls of a supervised program that the server answers: a read of the device, and what FUSE
// would not hand on as it is (an ioctl, lseek, a write of nothing).
//
// Each is answered exactly once, from any thread; one that is dropped unanswered fails with EIO. A
// program that is killed meanwhile makes the answer go nowhere.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "fuse/supervisor/listener.h"
#include "fuse/supervisor/process.h"

namespace coldread::fuse {

class HeldCall {
 public:
  // `listener`: null if the call comes from a recording; then nothing but answer() may be asked.
  HeldCall(std::shared_ptr<Listener> listener, uint64_t id, pid_t thread)
      : listener_(std::move(listener)), id_(id), thread_(thread) {}
  ~HeldCall();
  HeldCall(const HeldCall&) = delete;
  HeldCall& operator=(const HeldCall&) = delete;

  pid_t thread() const { return thread_; }
  void answer(int64_t result);  // a value or a negative errno

 protected:
  const Listener& listener() const { return *listener_; }
  uint64_t id() const { return id_; }

 private:
  std::shared_ptr<Listener> listener_;
  uint64_t id_;
  pid_t thread_;
  bool answered_ = false;
};

// What a read does to its process, in the kernel's order: reserve a number, copy the message out,
// install the file. All three may block and are for helper threads.
class HeldRead final : public HeldCall {
 public:
  HeldRead(std::shared_ptr<Listener> listener, uint64_t id, pid_t thread, uint64_t buffer,
           uint64_t size)
      : HeldCall(std::move(listener), id, thread), buffer_(buffer), size_(size) {}

  uint64_t size() const { return size_; }  // bytes

  // The number that an OPEN's file will get, or -EMFILE. Nothing is taken: another thread of the
  // program may be faster, then install() gives the file another one.
  int reserve() const;
  // To the beginning of the buffer: 0 or -EFAULT. All is well if the process is gone: in a kernel
  // the copy would have been made before it dies.
  int write(std::span<const std::byte> message) const;
  // Opens `path` for writing only and gives it to the process at the lowest free number; if that is
  // not `reserved`, the message, which was written before, is put right. The only descriptor that
  // is left is the program's: without it, the file is closed on return. 0, or a negative errno, of
  // which the user is told.
  int install(const std::string& path, int reserved) const;

 private:
  uint64_t buffer_;
  uint64_t size_;
};

// On which file, and what is asked of it.
struct FileCall {
  enum class What { ioctl, lseek, write_nothing } what = What::ioctl;
  FileIdentity file;
  uint64_t argument = 0;  // of the ioctl; lseek's offset; where nothing is written
  uint32_t number = 0;    // the ioctl's request; lseek's whence
};

class HeldFileCall final : public HeldCall {
 public:
  HeldFileCall(std::shared_ptr<Listener> listener, uint64_t id, pid_t thread, const FileCall& call)
      : HeldCall(std::move(listener), id, thread), call_(call) {}

  const FileCall& call() const { return call_; }

 private:
  FileCall call_;
};

}  // namespace coldread::fuse
