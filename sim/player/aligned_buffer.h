// Memory for direct I/O: aligned to 4096 bytes, grows, keeps its memory from call to call.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace coldread::player {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 4096;

  // `size` bytes of undefined content, valid until the next call.
  std::span<std::byte> get(size_t size) {
    if (size > capacity_) {
      const size_t wanted = (size + kAlignment - 1) / kAlignment * kAlignment;
      data_.reset();
      capacity_ = 0;
      data_.reset(new (std::align_val_t{kAlignment}) std::byte[wanted]);
      capacity_ = wanted;
    }
    size_ = size;
    return current();
  }
  std::span<std::byte> current() { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const {
      ::operator delete[](data, std::align_val_t{kAlignment});
    }
  };
  std::unique_ptr<std::byte[], Free> data_;
  size_t capacity_ = 0;
  size_t size_ = 0;
};

}  // namespace coldread::player
