// struct xarray (include/linux/xarray.h): an array of pointers with 64-bit indices, three marks per
// entry, id allocation and its own spin lock.
#pragma once

#include <cerrno>
#include <cstdint>

#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/xarray_tree.h"

namespace coldread {

// Every operation is a preemption point and atomic. As in Linux there are three kinds of them:
// - load, find, get_mark, marked, empty and the Cursor's look-ups: with or without xa_lock (as
//   under RCU);
// - store, erase, insert, cmpxchg, alloc ..., set_mark, clear_mark: take xa_lock themselves
//   (xa_store); calling one while holding it is a lock_order report;
// - the same with `_locked` (__xa_store) and the Cursor's changes (xas_store): the caller holds
//   xa_lock, or it is a warning report.
// Errors: negative errno. There is no -ENOMEM; has_node_for() says where there could be.
template <typename T>
class XArray {
 public:
  XArray(Scheduler& scheduler, LockClass lock)
      : scheduler_(scheduler), lock_(scheduler, lock), tree_(scheduler.memory()) {}

  SpinLock& xa_lock() { return lock_; }

  // --- with or without xa_lock ---

  T* load(uint64_t index) { return entry(shared().load(index)); }
  bool empty() { return shared().empty(); }                   // xa_empty: no entry, none reserved
  bool marked(XaMark mark) { return shared().marked(mark); }  // xa_marked: some entry has it
  bool get_mark(uint64_t index, XaMark mark) { return shared().get_mark(index, mark); }

  // xa_find: the first entry from *index to max (both included) with the mark, or any for
  // XA_PRESENT. Moves *index to it; null, and *index unchanged, if there is none. Reserved ids are
  // skipped.
  T* find(uint64_t* index, uint64_t max, XaMark filter) {
    return find_from(*index, index, max, filter);
  }
  // xa_find_after: the same behind *index.
  T* find_after(uint64_t* index, uint64_t max, XaMark filter) {
    return *index < max ? find_from(*index + 1, index, max, filter) : nullptr;
  }

  // xa_for_each: fn(index, T*) for each entry in order; fn may erase, store and block.
  template <typename Fn>
  void for_each(Fn fn) {
    uint64_t index = 0;
    for (T* e = find(&index, UINT64_MAX, XA_PRESENT); e != nullptr;
         e = find_after(&index, UINT64_MAX, XA_PRESENT))
      fn(index, e);
  }

  // Not a preemption point: whether a store there needs no memory for another node.
  bool has_node_for(uint64_t index) const { return tree_.has_node_for(index); }

  // For checks at the end of a run, not a preemption point: entries and reserved ids.
  uint64_t count() const { return tree_.count(); }

  // --- with xa_lock held ---

  // Returns the old entry; null erases. A replaced entry's marks stay.
  T* store_locked(uint64_t index, T* value) { return entry(owned().store(index, value)); }
  T* erase_locked(uint64_t index) { return store_locked(index, nullptr); }
  int insert_locked(uint64_t index, T* value);          // 0, -EBUSY if there is an entry
  T* cmpxchg_locked(uint64_t index, T* old, T* value);  // returns what was there
  int alloc_locked(uint32_t* id, T* value, uint32_t min, uint32_t max);
  int alloc_cyclic_locked(uint32_t* id, T* value, uint32_t min, uint32_t max, uint32_t* next);
  void set_mark_locked(uint64_t index, XaMark mark) { owned().set_mark(index, mark); }
  void clear_mark_locked(uint64_t index, XaMark mark) { owned().clear_mark(index, mark); }

  // --- that take xa_lock ---

  T* store(uint64_t index, T* value) {
    return locked([&] { return store_locked(index, value); });
  }
  T* erase(uint64_t index) { return store(index, nullptr); }
  int insert(uint64_t index, T* value) {
    return locked([&] { return insert_locked(index, value); });
  }
  T* cmpxchg(uint64_t index, T* old, T* value) {
    return locked([&] { return cmpxchg_locked(index, old, value); });
  }
  // xa_alloc: stores at the first free id in min..max and writes it to *id. 0, or -EBUSY when all
  // are taken. A null value reserves the id: load() finds null there, but it is not free until
  // erased.
  int alloc(uint32_t* id, T* value, uint32_t min, uint32_t max) {
    return locked([&] { return alloc_locked(id, value, min, max); });
  }
  // xa_alloc_cyclic: starts at *next, which then becomes *id + 1. 0; 1 if it began again at min;
  // -EBUSY when all are taken.
  int alloc_cyclic(uint32_t* id, T* value, uint32_t min, uint32_t max, uint32_t* next) {
    return locked([&] { return alloc_cyclic_locked(id, value, min, max, next); });
  }
  void set_mark(uint64_t index, XaMark mark) {
    locked([&] { return set_mark_locked(index, mark), 0; });
  }
  void clear_mark(uint64_t index, XaMark mark) {
    locked([&] { return clear_mark_locked(index, mark), 0; });
  }

  // struct xa_state: a position. Stays valid whatever happens to the array.
  //
  //   XArray<T>::Cursor cursor(reqs, next);
  //   for (T* e = cursor.find(max, XA_MARK_1); e; e = cursor.next(max, XA_MARK_1)) ...
  class Cursor {
   public:
    explicit Cursor(XArray& array, uint64_t index = 0) : array_(array), index_(index) {}

    uint64_t index() const { return index_; }     // xa_index
    void set(uint64_t index) { index_ = index; }  // xas_set

    T* load() { return array_.load(index_); }
    // The first entry from here (find) or from behind here (next) to max; moves there. Null,
    // without moving, if there is none.
    T* find(uint64_t max, XaMark filter = XA_PRESENT) { return array_.find(&index_, max, filter); }
    T* next(uint64_t max, XaMark filter = XA_PRESENT) {
      return array_.find_after(&index_, max, filter);
    }
    // xas_find_marked(XA_FREE_MARK): the first free index from here to max; moves there.
    bool find_free(uint64_t max) { return array_.shared().find_free(&index_, max); }
    bool get_mark(XaMark mark) { return array_.get_mark(index_, mark); }

    T* store(T* value) { return array_.store_locked(index_, value); }
    void set_mark(XaMark mark) { array_.set_mark_locked(index_, mark); }
    void clear_mark(XaMark mark) { array_.clear_mark_locked(index_, mark); }

   private:
    XArray& array_;
    uint64_t index_;
  };

 private:
  // What stands for null at a reserved id (XA_ZERO_ENTRY).
  void* reserved() { return this; }
  T* entry(void* stored) { return stored == reserved() ? nullptr : static_cast<T*>(stored); }

  XArrayTree& shared() {
    scheduler_.preemption_point(this);
    return tree_;
  }
  XArrayTree& owned() {
    if (!lock_.held()) [[unlikely]]
      scheduler_.broken(ReportKind::warning, "an xarray was changed without holding its xa_lock");
    return shared();
  }
  template <typename Fn>
  auto locked(Fn fn) {
    lock_.lock();
    const auto result = fn();
    lock_.unlock();
    return result;
  }

  T* find_from(uint64_t start, uint64_t* index, uint64_t max, XaMark filter);

  Scheduler& scheduler_;
  SpinLock lock_;
  XArrayTree tree_;
  bool wrapped_ = false;  // alloc_cyclic ran past the last 32-bit id (XA_FLAGS_ALLOC_WRAPPED)
};

template <typename T>
T* XArray<T>::find_from(uint64_t start, uint64_t* index, uint64_t max, XaMark filter) {
  XArrayTree& tree = shared();
  for (;;) {
    void* found = tree.find(&start, max, filter);
    if (found != reserved()) {
      if (found != nullptr) *index = start;
      return static_cast<T*>(found);
    }
    if (start == max) return nullptr;
    start++;
  }
}

template <typename T>
int XArray<T>::insert_locked(uint64_t index, T* value) {
  XArrayTree& tree = owned();
  if (tree.load(index) != nullptr) return -EBUSY;
  tree.store(index, value);
  return 0;
}

template <typename T>
T* XArray<T>::cmpxchg_locked(uint64_t index, T* old, T* value) {
  XArrayTree& tree = owned();
  T* before = entry(tree.load(index));
  if (before == old) tree.store(index, value);
  return before;
}

template <typename T>
int XArray<T>::alloc_locked(uint32_t* id, T* value, uint32_t min, uint32_t max) {
  XArrayTree& tree = owned();
  uint64_t index = min;
  if (!tree.find_free(&index, max)) return -EBUSY;
  tree.store(index, value != nullptr ? value : reserved());
  *id = static_cast<uint32_t>(index);
  return 0;
}

template <typename T>
int XArray<T>::alloc_cyclic_locked(uint32_t* id, T* value, uint32_t min, uint32_t max,
                                   uint32_t* next) {
  const uint32_t start = *next > min ? *next : min;
  int result = alloc_locked(id, value, start, max);
  if (result == 0 && wrapped_) {
    wrapped_ = false;
    result = 1;
  }
  if (result < 0 && start > min) {
    result = alloc_locked(id, value, min, max);
    if (result == 0) result = 1;
  }
  if (result >= 0) {
    *next = *id + 1;
    wrapped_ |= *next == 0;
  }
  return result;
}

}  // namespace coldread
