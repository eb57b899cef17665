// The port through which what may block for real (disk, other processes, our own mount) leaves the
// fibers' thread: on that thread it would stop every fiber, and on our own mount deadlock.
//
// Thread rules: called on a fiber (or wherever the implementation allows); the function runs on
// another thread, after everything the caller did before and before everything it does afterwards.
// It must not touch the model. Lifetime: arguments are used until run() returns; an implementation
// whose fibers' stacks are dropped first waits for all functions that have begun.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace coldread::fuse {

class Offload {
 public:
  // Runs function(argument), which may block for real and does not throw, and returns when it has
  // ended; on a fiber the others run meanwhile.
  virtual void run(void (*function)(void*), void* argument) = 0;

 protected:
  Offload() = default;
  ~Offload() = default;
};

// The same for a callable: offload(helpers, [&] { return pread(fd, ...); }). It lives on the
// caller's stack, which may be dropped: it owns nothing, and what it returns neither.
template <typename Callable>
auto offload(Offload& offload, Callable&& callable) {
  using Function = std::remove_reference_t<Callable>;
  using Returned = std::invoke_result_t<Function&>;
  static_assert(std::is_trivially_destructible_v<Function>, "it would leak with its stack");
  if constexpr (std::is_void_v<Returned>) {
    offload.run([](void* argument) { (*static_cast<Function*>(argument))(); },
                const_cast<void*>(static_cast<const void*>(std::addressof(callable))));
  } else {
    static_assert(std::is_trivially_destructible_v<Returned>, "it would leak with its stack");
    struct Call {
      Function& function;
      Returned returned;
    } call{callable, Returned()};
    offload.run(
        [](void* argument) {
          auto* running = static_cast<Call*>(argument);
          running->returned = running->function();
        },
        &call);
    return call.returned;
  }
}

}  // namespace coldread::fuse
