// kmem_cache (include/linux/slab.h) with KASAN's eye: objects in reused memory, reached through
// handles that know when their object is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "kernelmodel/ports/scheduler.h"

namespace coldread {

class PoolBase;

namespace pool {

inline constexpr size_t kAlignment = 16;

struct Note {
  const char* task;
  const char* what;
};

// The header of a slot; its object lies directly behind it.
struct alignas(kAlignment) Slot {
  static constexpr uint32_t kNotes = 4;

  uint64_t generation = 0;  // odd while the object lives
  PoolBase* pool = nullptr;
  Slot* next_free = nullptr;
  const char* freed_by = nullptr;  // the task that destroyed the latest object here
  uint32_t index = 0;              // in order of first use
  uint32_t note_count = 0;         // ever; the last kNotes of them are kept
  Note notes[kNotes] = {};

  void* object() { return this + 1; }
};

[[noreturn]] void report_null();
[[noreturn]] void report_use_after_free(Slot& slot);

}  // namespace pool

// A pointer to an object of a Pool that checks at every use that it is still the same object. Null
// by default; copies freely; T may be incomplete until it is used. * and -> report use_after_free,
// or null_dereference. 16 bytes.
template <typename T>
class Handle {
 public:
  Handle() = default;
  Handle(std::nullptr_t) {}  // NOLINT(*-explicit-*)

  // The handle of an object that lies in a Pool<T>: reports use_after_free if it is gone. (What
  // took its place is not told from it.)
  static Handle of(T& object) {
    auto* slot = reinterpret_cast<pool::Slot*>(&object) - 1;
    if (slot->generation % 2 == 0) [[unlikely]]
      pool::report_use_after_free(*slot);
    return Handle(slot, slot->generation);
  }

  T* operator->() const { return get(); }
  T& operator*() const { return *get(); }
  // Checked as -> is; the pointer itself is not checked any more.
  T* get() const {
    if (slot_ == nullptr) [[unlikely]]
      pool::report_null();
    if (slot_->generation != generation_) [[unlikely]]
      pool::report_use_after_free(*slot_);
    return static_cast<T*>(slot_->object());
  }

  explicit operator bool() const { return slot_ != nullptr; }  // not null; says nothing about life
  // Same slot and same object in it.
  friend bool operator==(const Handle&, const Handle&) = default;

 private:
  template <typename>
  friend class Pool;
  Handle(pool::Slot* slot, uint64_t generation) : slot_(slot), generation_(generation) {}

  pool::Slot* slot_ = nullptr;
  uint64_t generation_ = 0;
};

// What all pools share; use Pool<T>.
class PoolBase {
 public:
  PoolBase(const PoolBase&) = delete;
  PoolBase& operator=(const PoolBase&) = delete;

  const char* name() const { return name_; }
  uint64_t live() const { return live_; }  // objects created and not destroyed

 protected:
  friend void pool::report_use_after_free(pool::Slot& slot);
  PoolBase(Scheduler& scheduler, const char* name, size_t object_size);
  ~PoolBase() = default;  // the memory goes with the run's

  pool::Slot& take();
  void retire(pool::Slot& slot);
  void give_back(pool::Slot& slot);
  void record(pool::Slot& slot, const char* what);
  pool::Slot* slot_at(uint64_t index) const;  // index < slots_
  uint64_t slots() const { return slots_; }

 private:
  static constexpr size_t kMaxChunks = 40;

  const char* current_task() const;
  pool::Slot& add_slot();

  Scheduler& scheduler_;
  const char* name_;
  size_t slot_size_;
  pool::Slot* free_ = nullptr;  // the last one given back first, as slab does
  std::byte* chunks_[kMaxChunks] = {};
  uint64_t slots_ = 0;
  uint64_t live_ = 0;
};

// Objects never move; a destroyed one's memory is the next to be used. Operations are no preemption
// points. Objects still alive when the run ends are not destructed: their memory goes as a whole.
// `name` is a literal, the kernel's: "cachefiles_object".
template <typename T>
class Pool : public PoolBase {
 public:
  Pool(Scheduler& scheduler, const char* name) : PoolBase(scheduler, name, sizeof(T)) {
    static_assert(alignof(T) <= pool::kAlignment);
  }

  template <typename... Args>
  Handle<T> create(Args&&... args) {
    pool::Slot& slot = take();
    new (slot.object()) T(std::forward<Args>(args)...);
    return Handle<T>(&slot, slot.generation);
  }

  // Reports as -> does if it is gone already. The destructor runs when handles have become stale.
  void destroy(Handle<T> handle) {
    T* object = handle.get();
    retire(*handle.slot_);
    object->~T();
    give_back(*handle.slot_);
  }

  // Adds to the object's history, shown with a use after free: `what` is a literal ("read by
  // daemon"). The last four notes are kept, "created" and "destroyed" among them.
  void note(Handle<T> handle, const char* what) {
    handle.get();
    record(*handle.slot_, what);
  }

  // fn(Handle<T>) for each live object, in order of slots: for leak checks. fn may destroy it.
  template <typename Fn>
  void for_each_live(Fn fn) {
    for (uint64_t i = 0; i < slots(); i++) {
      pool::Slot* slot = slot_at(i);
      if (slot->generation % 2 == 1) fn(Handle<T>(slot, slot->generation));
    }
  }
};

}  // namespace coldread
