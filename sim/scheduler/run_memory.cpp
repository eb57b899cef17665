// Free lists over growing chunks; what is large or oddly aligned comes from operator new.
#include "sim/scheduler/run_memory.h"

#include <algorithm>
#include <new>

namespace coldread::sim {

RunMemory::~RunMemory() {
  while (large_ != nullptr) deallocate_large(reinterpret_cast<std::byte*>(large_) + sizeof *large_);
}

void* RunMemory::do_allocate(size_t bytes, size_t alignment) {
  if (!is_small(bytes, alignment)) return allocate_large(bytes, alignment);
  const size_t units = (std::max(bytes, size_t{1}) + kUnit - 1) / kUnit;
  FreeBlock* block = free_[units];
  if (block == nullptr) return carve(units * kUnit);
  free_[units] = block->next;
  return block;
}

void RunMemory::do_deallocate(void* memory, size_t bytes, size_t alignment) {
  if (!is_small(bytes, alignment)) return deallocate_large(memory);
  const size_t units = (std::max(bytes, size_t{1}) + kUnit - 1) / kUnit;
  free_[units] = ::new (memory) FreeBlock{free_[units]};
}

// The rest of a chunk that is too short is given up: at most kMaxSmall of at least kFirstChunk. Of
// all chunks no more than a fifth is still unused: a run that is put back is copied with it.
void* RunMemory::carve(size_t bytes) {
  if (left_ < bytes) {
    left_ = std::clamp(carved_ / 4, kFirstChunk, kMaxChunk);
    next_ = static_cast<std::byte*>(allocate_large(left_, kUnit));
    carved_ += left_;
  }
  void* block = next_;
  next_ += bytes;
  left_ -= bytes;
  return block;
}

void* RunMemory::allocate_large(size_t bytes, size_t alignment) {
  alignment = std::max(alignment, alignof(LargeHeader));
  const size_t offset = (sizeof(LargeHeader) + alignment - 1) / alignment * alignment;
  if (bytes > SIZE_MAX - offset) throw std::bad_alloc();
  auto* whole =
      static_cast<std::byte*>(::operator new (bytes + offset, std::align_val_t{alignment}));
  auto* header =
      ::new (whole + offset - sizeof(LargeHeader)) LargeHeader{nullptr, large_, alignment, offset};
  if (large_ != nullptr) large_->previous = header;
  large_ = header;
  return whole + offset;
}

void RunMemory::deallocate_large(void* block) {
  auto* header =
      reinterpret_cast<LargeHeader*>(static_cast<std::byte*>(block) - sizeof(LargeHeader));
  (header->previous != nullptr ? header->previous->next : large_) = header->next;
  if (header->next != nullptr) header->next->previous = header->previous;
  ::operator delete (static_cast<std::byte*>(block) - header->offset,
                     std::align_val_t{header->alignment});
}

}  // namespace coldread::sim
