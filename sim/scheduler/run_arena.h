// All memory of a run in one stretch of addresses, so that the run can be set back by copying.
//
// Exploring plays one scenario a million times. What leads up to the end of its setup is the same
// each time: it is played once, saved, and put back for every run, byte for byte at the same
// addresses. For that whatever a run allocates, in whichever container, must lie in the arena: so
// while a thread is inside, its operator new allocates there. Nothing in an arena is ever freed
// one by one at the end: it is forgotten.
//
// What leaves a run must be copied outside (Outside). Statics that are made on first use must not
// be made inside. Under AddressSanitizer, whose allocator cannot be bypassed without losing what it
// sees, and where there is no address space, no arena is usable.
//
// Thread rules: an arena is used by one thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace coldread::sim {

namespace run_arena {
// The control block of the arena this thread allocates in; null: none. For Inside and Outside.
inline constinit thread_local void* inside = nullptr;
}  // namespace run_arena

class RunArena {
 public:
  RunArena();
  ~RunArena();
  RunArena(const RunArena&) = delete;
  RunArena& operator=(const RunArena&) = delete;

  bool usable() const { return control_ != nullptr; }

  // Keeps a copy of all that is allocated now. Not from inside.
  void save();
  // Puts back what save() kept: what was allocated since is gone.
  void restore();
  size_t saved_bytes() const { return saved_bytes_; }

  // Where in its arena something lies, the same in every arena with the same history; 0: in none.
  static size_t place_of(const void* object);

  // While one of these lives, this thread allocates inside the arena / outside of any.
  class Inside {
   public:
    explicit Inside(RunArena& arena) : before_(std::exchange(run_arena::inside, arena.control_)) {}
    ~Inside() { run_arena::inside = before_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    void* before_;
  };
  class Outside {
   public:
    Outside() : before_(std::exchange(run_arena::inside, nullptr)) {}
    ~Outside() { run_arena::inside = before_; }
    Outside(const Outside&) = delete;
    Outside& operator=(const Outside&) = delete;

   private:
    void* before_;
  };

 private:
  void* control_ = nullptr;  // the arena's first bytes: what is free, where it goes on
  std::unique_ptr<std::byte[]> saved_;
  size_t saved_bytes_ = 0;
};

}  // namespace coldread::sim
