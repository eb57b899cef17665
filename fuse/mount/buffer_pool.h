// Memory of requests, kept for the next ones: asking the kernel for each buffer anew, and for its
// pages one by one as they are touched, takes longer than filling it.
//
// Thread rules: the host's thread. Lifetime: the pool outlives its buffers.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "sim/player/aligned_buffer.h"

namespace coldread::fuse {

class BufferPool {
 public:
  player::AlignedBuffer take() {
    if (free_.empty()) return {};
    player::AlignedBuffer buffer = std::move(free_.back());
    free_.pop_back();
    return buffer;
  }
  void give(player::AlignedBuffer buffer) {
    if (free_.size() < kKept) free_.push_back(std::move(buffer));
  }

 private:
  static constexpr size_t kKept = 8;  // as many as are often in use at once

  std::vector<player::AlignedBuffer> free_;
};

// An AlignedBuffer that has no memory until it is asked for some, and then perhaps one with old
// contents.
class PooledBuffer {
 public:
  explicit PooledBuffer(BufferPool& pool) : pool_(pool) {}
  ~PooledBuffer() {
    if (taken_) pool_.give(std::move(buffer_));
  }
  PooledBuffer(const PooledBuffer&) = delete;
  PooledBuffer& operator=(const PooledBuffer&) = delete;

  std::span<std::byte> get(size_t size) {
    if (!std::exchange(taken_, true)) buffer_ = pool_.take();
    return buffer_.get(size);
  }
  std::span<std::byte> current() { return taken_ ? buffer_.current() : std::span<std::byte>(); }

 private:
  BufferPool& pool_;
  player::AlignedBuffer buffer_;
  bool taken_ = false;
};

}  // namespace coldread::fuse
