// Where an EROFS image gets its bytes from, and what else it needs of the world.
//
// Implemented by a mount, for which every read may mean that a daemon is asked, and by plain files
// in tests. Thread rules: one thread, or fibers of one; read() and wait_until() may let others run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace coldread::erofs {

inline constexpr uint64_t kBlockSize = 4096;  // the only one in fscache mode: a page

class Source {
 public:
  virtual ~Source() = default;

  // Makes the next device known, beginning with 1; 0, the image itself, is always there. 0 or a
  // negative errno, which fails the mount.
  virtual int add_device(const std::string& name) = 0;

  // Fills whole pages, aligned in memory as well, from byte `start`, a multiple of the page size
  // below 2^63, of a device. 0, -EIO or -ENOBUFS; -EINTR if the reader was killed.
  virtual int read(unsigned device, uint64_t start, std::span<std::byte> pages) = 0;

  // Lets others run until it holds; changed() is called whenever it may have begun to hold.
  virtual void wait_until(const std::function<bool()>& holds) = 0;
  virtual void changed() = 0;

  // A line of the kernel's log about this image.
  virtual void log_error(const std::string& text) = 0;
  // The same of the mount, for which the kernel names no device.
  virtual void log_mount_error(const std::string& text) = 0;
  virtual void log_info(const std::string& text) = 0;
};

}  // namespace coldread::erofs
