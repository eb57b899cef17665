// The memory of one run: what the model allocates, given back as a whole when the run ends.
//
// Nobody unwinds a run that ends early, so nothing is freed one by one; meanwhile freed memory is
// reused last in, first out. Small blocks come from free lists by size, a handful of instructions
// each. Under AddressSanitizer every block is the allocator's own, so that overruns are seen.
//
// Thread rules: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <memory_resource>

#include "sim/scheduler/fiber.h"

namespace coldread::sim {

class RunMemory final : public std::pmr::memory_resource {
 public:
  RunMemory() = default;
  ~RunMemory() override;
  RunMemory(const RunMemory&) = delete;
  RunMemory& operator=(const RunMemory&) = delete;

 private:
  static constexpr size_t kUnit = 16;  // small sizes are multiples of it
  static constexpr size_t kMaxSmall = kAddressSanitizer ? 0 : 1024;
  static constexpr size_t kFirstChunk = 4 * size_t{1024};
  static constexpr size_t kMaxChunk = 1024 * size_t{1024};

  struct FreeBlock {
    FreeBlock* next;
  };
  // In front of every block that comes straight from operator new.
  struct alignas(kUnit) LargeHeader {
    LargeHeader* previous;
    LargeHeader* next;
    size_t alignment;  // of the whole, at whose start ...
    size_t offset;     // ... the header's payload lies this much further on
  };

  static bool is_small(size_t bytes, size_t alignment) {
    return bytes <= kMaxSmall && alignment <= kUnit;
  }

  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }

  void* carve(size_t bytes);
  void* allocate_large(size_t bytes, size_t alignment);
  void deallocate_large(void* block);

  std::array<FreeBlock*, kMaxSmall / kUnit + 1> free_{};  // by size in units
  std::byte* next_ = nullptr;                             // of the current chunk
  size_t left_ = 0;
  size_t carved_ = 0;  // all chunks together
  LargeHeader* large_ = nullptr;
};

}  // namespace coldread::sim
