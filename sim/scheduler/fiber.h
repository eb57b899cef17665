// Stacks and the switch between them: the only file that knows Boost.Context and the sanitizers.
//
// A Fiber is never unwound. It runs until its entry switches away for good, or it is dropped where
// it stands: its stack goes back to the pool as it is and no destructor runs.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#define COLDREAD_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COLDREAD_ASAN 1
#endif
#endif
#ifndef COLDREAD_ASAN
#define COLDREAD_ASAN 0
#endif

#if COLDREAD_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

namespace coldread::sim {

inline constexpr bool kAddressSanitizer = COLDREAD_ASAN;

// Instrumented frames are several times as large.
inline constexpr size_t kStackSize = (kAddressSanitizer ? 256 : 64) * size_t{1024};

// One stack of kStackSize bytes, by its lowest address; that end holds the canary.
struct Stack {
  static constexpr uint64_t kCanary = 0x5ca1ab1e'c01dfeed;

  std::byte* bottom = nullptr;

  explicit operator bool() const { return bottom != nullptr; }
  // False: something ran over the end of this stack.
  bool intact() const { return *reinterpret_cast<const uint64_t*>(bottom) == kCanary; }
};

// Stacks from a slab of anonymous memory that grows in chunks and is reused last in, first out. A
// page is only backed by memory once it is touched. May be shared by consecutive runs of one
// thread.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  Stack acquire();  // throws std::bad_alloc when there is no address space left
  void release(Stack stack) noexcept { free_.push_back(stack); }

  // Which stacks are free, to be put back when a run is set back to this moment. Stacks carved
  // since are free then.
  struct Mark {
    std::vector<Stack> free;
    size_t created = 0;
  };
  Mark mark() const { return {free_, created_}; }
  void reset(const Mark& mark);

  size_t created() const { return created_; }  // stacks carved so far
  size_t in_use() const { return created_ - free_.size(); }

 private:
  struct Chunk {
    std::byte* memory;
    size_t bytes;
  };

  void grow();
  Stack carve();

  std::vector<Chunk> chunks_;
  std::vector<Stack> free_;    // room for every stack, so that release() never allocates
  std::vector<Stack> carved_;  // all of them
  std::byte* next_ = nullptr;  // the first stack of the newest chunk that was never used
  size_t left_ = 0;            // how many such stacks
  size_t created_ = 0;
};

// A suspended flow of control. The one that calls into the first fiber is a Fiber without a stack.
class Fiber {
 public:
  using Entry = void (*)(void* arg);  // never returns: it ends with leave_for()

  bool started() const { return static_cast<bool>(stack_); }
  Stack stack() const { return stack_; }
  // Of one that is suspended: what lies on its stack.
  std::span<std::byte> frames() const {
    auto* const top = static_cast<std::byte*>(context_);
    return {top, static_cast<size_t>(stack_.bottom + kStackSize - top)};
  }

  // Will be resumed soon: with thousands of fibers its frames have left the caches long ago.
  void prefetch() const {
    if (!started()) return;
    __builtin_prefetch(context_);
    __builtin_prefetch(static_cast<const std::byte*>(context_) + 64);
    __builtin_prefetch(static_cast<const std::byte*>(context_) + 128);
    __builtin_prefetch(stack_.bottom);
  }

  // Makes it ready to execute entry(arg) on `stack`.
  void start(Stack stack, Entry entry, void* arg);

  // Suspends this fiber, the one that runs, and resumes `to`. Returns when someone switches back.
  void switch_to(Fiber& to) {
    to_ = &to;
    before_switch(&fake_stack_, to);
    arrive(*this, boost::context::detail::jump_fcontext(to.context_, this));
  }

  // As switch_to(), but for good: `pool` gets the stack, `to` must be started. Never returns, which
  // only the comment says: before a call that is marked so, AddressSanitizer cleans the shadow of
  // the whole stack and makes all of it resident.
  void leave_for(Fiber& to, StackPool& pool);

  // Gives the running fiber's stack to `heir`, which runs on it from now on.
  void hand_over_to(Fiber& heir) {
    heir = *this;
    *this = Fiber();
  }

  // Gives back the stack of a suspended fiber that will never run again. `here` is the running one.
  void drop(StackPool& pool, Fiber& here);

 private:
  using Context = boost::context::detail::fcontext_t;
  using Transfer = boost::context::detail::transfer_t;

  static void before_switch([[maybe_unused]] void** fake_stack, [[maybe_unused]] const Fiber& to) {
#if COLDREAD_ASAN
    __sanitizer_start_switch_fiber(fake_stack, to.bounds_bottom_, to.bounds_size_);
#endif
  }
  // The first thing that happens on `self` after a switch.
  static void arrive([[maybe_unused]] Fiber& self, Transfer transfer) {
    Fiber& from = *static_cast<Fiber*>(transfer.data);
    from.context_ = transfer.fctx;
#if COLDREAD_ASAN
    __sanitizer_finish_switch_fiber(self.fake_stack_, &from.bounds_bottom_, &from.bounds_size_);
#endif
  }
  static void enter(Transfer transfer);

  Context context_ = nullptr;
  Fiber* to_ = nullptr;  // whom it switched to; not on its stack, which may be gone by then
  Stack stack_;
  Entry entry_ = nullptr;
  void* arg_ = nullptr;
  void* fake_stack_ = nullptr;  // AddressSanitizer's, while suspended
#if COLDREAD_ASAN
  const void* bounds_bottom_ = nullptr;
  size_t bounds_size_ = 0;
#endif
};

}  // namespace coldread::sim
