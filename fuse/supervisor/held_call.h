// System calls of a supervised program that the server answers: a read of the device, an ioctl of a
// file that came with an OPEN.
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

class HeldIoctl final : public HeldCall {
 public:
  HeldIoctl(std::shared_ptr<Listener> listener, uint64_t id, pid_t thread, FileIdentity file,
            uint32_t request, uint64_t argument)
      : HeldCall(std::move(listener), id, thread),
        file_(file),
        request_(request),
        argument_(argument) {}

  const FileIdentity& file() const { return file_; }
  uint32_t request() const { return request_; }
  uint64_t argument() const { return argument_; }

 private:
  FileIdentity file_;
  uint32_t request_;
  uint64_t argument_;
};

}  // namespace coldread::fuse
