#include "kernelmodel/kernel/pool.h"

#include <bit>
#include <cstdio>
#include <cstdlib>

#include "kernelmodel/kernel/report_text.h"

namespace coldread {

namespace {

constexpr uint64_t kFirstChunk = 1;  // slots; each chunk has twice as many as the one before

struct Place {
  unsigned chunk;
  uint64_t offset;
};

Place place_of(uint64_t index) {
  const auto chunk = static_cast<unsigned>(std::bit_width(index / kFirstChunk + 1)) - 1;
  return {chunk, index - kFirstChunk * ((uint64_t{1} << chunk) - 1)};
}

}  // namespace

PoolBase::PoolBase(Scheduler& scheduler, const char* name, size_t object_size)
    : scheduler_(scheduler),
      name_(name),
      slot_size_(sizeof(pool::Slot) +
                 (object_size + pool::kAlignment - 1) / pool::kAlignment * pool::kAlignment) {}

pool::Slot* PoolBase::slot_at(uint64_t index) const {
  const Place place = place_of(index);
  return reinterpret_cast<pool::Slot*>(chunks_[place.chunk] + place.offset * slot_size_);
}

pool::Slot& PoolBase::take() {
  pool::Slot* slot = free_;
  if (slot != nullptr)
    free_ = slot->next_free;
  else
    slot = &add_slot();
  slot->generation++;
  live_++;
  record(*slot, "created");
  return *slot;
}

// The first use of the next slot.
pool::Slot& PoolBase::add_slot() {
  const Place place = place_of(slots_);
  if (place.offset == 0)
    chunks_[place.chunk] = static_cast<std::byte*>(
        scheduler_.memory().allocate((kFirstChunk << place.chunk) * slot_size_, pool::kAlignment));
  auto* slot = new (slot_at(slots_)) pool::Slot;
  slot->pool = this;
  slot->index = static_cast<uint32_t>(slots_++);
  return *slot;
}

// Whoever still has a handle finds it stale from now on; the memory is not yet free.
void PoolBase::retire(pool::Slot& slot) {
  record(slot, "destroyed");
  slot.freed_by = current_task();
  slot.generation++;
  live_--;
}

void PoolBase::give_back(pool::Slot& slot) {
  slot.next_free = free_;
  free_ = &slot;
}

void PoolBase::record(pool::Slot& slot, const char* what) {
  slot.notes[slot.note_count++ % pool::Slot::kNotes] = {current_task(), what};
}

const char* PoolBase::current_task() const {
  return scheduler_.current() != nullptr ? scheduler_.current()->name : "a timer";
}

namespace pool {

void report_null() {
  Scheduler* scheduler = Scheduler::running();
  if (scheduler == nullptr) {
    std::fputs("a null handle was used outside of any run\n", stderr);
    std::abort();
  }
  ReportText text;
  text << "a null handle was used";
  if (scheduler->current() != nullptr) text << " by " << scheduler->current()->name;
  report(*scheduler, ReportKind::null_dereference, text);
}

void report_use_after_free(Slot& slot) {
  const PoolBase& pool = *slot.pool;
  ReportText text;
  text << pool.name() << " #" << slot.index << " was used by " << pool.current_task() << " after "
       << slot.freed_by << " destroyed it; its slot was";
  const uint32_t first = slot.note_count > Slot::kNotes ? slot.note_count - Slot::kNotes : 0;
  for (uint32_t i = first; i < slot.note_count; i++) {
    const Note& note = slot.notes[i % Slot::kNotes];
    text << (i == first ? ": " : ", ") << note.what << " (by " << note.task << ")";
  }
  report(pool.scheduler_, ReportKind::use_after_free, text);
}

}  // namespace pool

}  // namespace coldread
