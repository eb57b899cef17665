// The slab of stacks, and the ends of a fiber: its start, its leaving, its being dropped.
#include "sim/scheduler/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "sim/scheduler/run_arena.h"

#if COLDREAD_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace coldread::sim {
namespace {

// An unoptimised build is one for debugging.
#if defined(__OPTIMIZE__)
constexpr bool kGuards = kAddressSanitizer;
#else
constexpr bool kGuards = true;
#endif
constexpr size_t kPage = 4096;
// Each guard page costs two mappings of the 65,530 a process may have; stacks beyond these have
// only the canary.
constexpr size_t kMaxGuards = 8192;
// Stacks lie so that the busy ends of neighbours fall on different cache sets; with guards they
// must lie on pages.
constexpr size_t kStride = kStackSize + (kGuards ? kPage : 192);
constexpr size_t kFirstChunk = 64;  // stacks
constexpr size_t kMaxChunk = 1024;

// AddressSanitizer forgets the frames from `from` to the top of `stack`, which will never return.
// What lies deeper has returned, and cleaning all of it would make its shadow resident.
void forget_frames([[maybe_unused]] Stack stack, [[maybe_unused]] const void* from) {
#if COLDREAD_ASAN
  const std::byte* frames = static_cast<const std::byte*>(from);
  __asan_unpoison_memory_region(frames, static_cast<size_t>(stack.bottom + kStackSize - frames));
#endif
}

// What AddressSanitizer may still believe of the memory from an earlier life, this pool's or that
// of one whose addresses it was given: of the end where frames begin, since cleaning all of it
// would make its shadow resident.
void forget_busy_end([[maybe_unused]] Stack stack) {
#if COLDREAD_ASAN
  constexpr size_t kBusy = 32 * size_t{1024};
  __asan_unpoison_memory_region(stack.bottom + kStackSize - kBusy, kBusy);
#endif
}

}  // namespace

StackPool::~StackPool() {
  for (const Chunk& chunk : chunks_) munmap(chunk.memory, chunk.bytes);
}

void StackPool::grow() {
  const size_t stacks = std::min(kMaxChunk, std::max(kFirstChunk, created_));
  // One page more: see carve().
  const size_t bytes = stacks * kStride + kPage;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  // A huge page would back dozens of stacks of which only one is used.
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  const RunArena::Outside outside;  // the pool outlives the run
  chunks_.push_back({static_cast<std::byte*>(memory), bytes});
  free_.reserve(created_ + stacks);
  carved_.reserve(created_ + stacks);
  next_ = static_cast<std::byte*>(memory);
  left_ = stacks;
}

Stack StackPool::carve() {
  if (left_ == 0) grow();
  std::byte* memory = next_;
  next_ += kStride;
  --left_;
  ++created_;
  Stack stack;
  if constexpr (kGuards) {
    if (created_ <= kMaxGuards) mprotect(memory, kPage, PROT_NONE);
    stack.bottom = memory + kPage;
  } else {
    // The canary shares a page with the busy end of the stack below, so that it needs none of its
    // own.
    stack.bottom = memory + kPage - 64;
  }
  *reinterpret_cast<uint64_t*>(stack.bottom) = Stack::kCanary;
  carved_.push_back(stack);
  return stack;
}

void StackPool::reset(const Mark& mark) {
  free_.assign(mark.free.begin(), mark.free.end());
  free_.insert(free_.end(), carved_.begin() + static_cast<std::ptrdiff_t>(mark.created),
               carved_.end());
}

Stack StackPool::acquire() {
  if (free_.empty()) {
    const Stack stack = carve();
    forget_busy_end(stack);
    return stack;
  }
  const Stack stack = free_.back();
  free_.pop_back();
  forget_busy_end(stack);
  *reinterpret_cast<uint64_t*>(stack.bottom) = Stack::kCanary;
  return stack;
}

void Fiber::start(Stack stack, Entry entry, void* arg) {
  stack_ = stack;
  entry_ = entry;
  arg_ = arg;
  fake_stack_ = nullptr;
  context_ = boost::context::detail::make_fcontext(stack.bottom + kStackSize, kStackSize, enter);
#if COLDREAD_ASAN
  bounds_bottom_ = stack.bottom;
  bounds_size_ = kStackSize;
#endif
}

void Fiber::enter(Transfer transfer) {
  Fiber& self = *static_cast<Fiber*>(transfer.data)->to_;
  arrive(self, transfer);
  self.entry_(self.arg_);
  std::abort();
}

void Fiber::leave_for(Fiber& to, StackPool& pool) {
  to_ = &to;
  forget_frames(stack_, __builtin_frame_address(0));
  pool.release(stack_);
  stack_ = Stack();
  before_switch(nullptr, to);
  boost::context::detail::jump_fcontext(to.context_, this);
  std::abort();
}

void Fiber::drop(StackPool& pool, [[maybe_unused]] Fiber& here) {
  if (!started()) return;
#if COLDREAD_ASAN
  // Frees the sanitizer's fake stack: it only does so for the fiber that runs and is about to
  // leave.
  __sanitizer_start_switch_fiber(&here.fake_stack_, bounds_bottom_, bounds_size_);
  __sanitizer_finish_switch_fiber(fake_stack_, &here.bounds_bottom_, &here.bounds_size_);
  before_switch(nullptr, here);
  __sanitizer_finish_switch_fiber(here.fake_stack_, nullptr, nullptr);
#endif
  forget_frames(stack_, context_);
  pool.release(stack_);
  *this = Fiber();
}

}  // namespace coldread::sim
