// A descriptor that is closed with its scope. Negative: there is none, but an errno.
#pragma once

#include <unistd.h>

namespace coldread::fuse {

class OwnDescriptor {
 public:
  explicit OwnDescriptor(int fd) : fd_(fd) {}
  ~OwnDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  OwnDescriptor(const OwnDescriptor&) = delete;
  OwnDescriptor& operator=(const OwnDescriptor&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

}  // namespace coldread::fuse
