// The arenas' addresses, their free lists, and the operators new and delete that know them.
#include "sim/scheduler/run_arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "sim/scheduler/fiber.h"

namespace coldread::sim {
namespace {

// Address space only: pages are backed when they are touched. All arenas lie side by side, so that
// delete can tell an arena's block, and whose it is, from its address.
constexpr size_t kArenaBytes = size_t{16} << 30;
constexpr size_t kArenas = 256;
constexpr size_t kRegionBytes = kArenaBytes * kArenas;

constexpr size_t kUnit = 16;
constexpr size_t kSmall = 1024;  // up to here a list for each multiple of kUnit
constexpr unsigned kSmallPower = 10;
constexpr unsigned kSmallLists = kSmall / kUnit + 1;
constexpr unsigned kStepsPower = 3;
constexpr unsigned kSteps = 1 << kStepsPower;  // then so many from each power of two on
constexpr unsigned kLists = kSmallLists + 25 * kSteps;

struct FreeBlock {
  FreeBlock* next;
};

// In front of every block handed out.
struct alignas(kUnit) Header {
  uint32_t list;
  uint32_t padding;  // bytes from the start of what the list holds to this header
};
static_assert(sizeof(Header) == kUnit);

struct alignas(kUnit) Control {
  std::byte* next;  // from here on nothing was ever allocated
  std::byte* end;
  FreeBlock* free[kLists];
};

std::atomic<std::byte*> region_begin{nullptr};
std::atomic<size_t> region_bytes{0};  // 0: there is none
std::mutex region_lock;
bool taken[kArenas];

// In the region; more than its size: not in it.
uintptr_t offset_of(const void* block) {
  return reinterpret_cast<uintptr_t>(block) -
         reinterpret_cast<uintptr_t>(region_begin.load(std::memory_order_relaxed));
}

bool is_in_arena(const void* block) {
  return offset_of(block) < region_bytes.load(std::memory_order_relaxed);
}

Control* control_of(const void* block) {
  std::byte* const begin = region_begin.load(std::memory_order_relaxed);
  return reinterpret_cast<Control*>(begin + offset_of(block) / kArenaBytes * kArenaBytes);
}

unsigned list_of(size_t bytes) {
  if (bytes <= kSmall) return static_cast<unsigned>((bytes + kUnit - 1) / kUnit);
  const auto power = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;
  const auto step = static_cast<unsigned>((bytes - 1) >> (power - kStepsPower)) & (kSteps - 1);
  return kSmallLists + (power - kSmallPower) * kSteps + step;
}

size_t bytes_of(unsigned list) {
  if (list < kSmallLists) return list * kUnit;
  const unsigned power = kSmallPower + (list - kSmallLists) / kSteps;
  return size_t{kSteps + 1 + (list - kSmallLists) % kSteps} << (power - kStepsPower);
}

// AddressSanitizer has operators of its own, and no use for these two.
[[maybe_unused]] void* allocate(size_t bytes, size_t alignment) {
  Control& control = *static_cast<Control*>(run_arena::inside);
  const size_t whole = bytes + sizeof(Header) + (alignment > kUnit ? alignment : 0);
  const unsigned list = list_of(whole);
  if (whole < bytes || list >= kLists) return nullptr;
  std::byte* start = nullptr;
  if (FreeBlock* reused = control.free[list]; reused != nullptr) {
    control.free[list] = reused->next;
    start = reinterpret_cast<std::byte*>(reused);
  } else {
    if (bytes_of(list) > static_cast<size_t>(control.end - control.next)) return nullptr;
    start = control.next;
    control.next += bytes_of(list);
  }
  uintptr_t block = reinterpret_cast<uintptr_t>(start) + sizeof(Header);
  if (alignment > kUnit) block = (block + alignment - 1) / alignment * alignment;
  std::byte* const payload = start + (block - reinterpret_cast<uintptr_t>(start));
  const size_t padding = static_cast<size_t>(payload - start) - sizeof(Header);
  ::new (payload - sizeof(Header)) Header{list, static_cast<uint32_t>(padding)};
  return payload;
}

[[maybe_unused]] void release(void* block) {
  Control& control = *control_of(block);
  std::byte* const header_at = static_cast<std::byte*>(block) - sizeof(Header);
  const Header header = *reinterpret_cast<Header*>(header_at);
  control.free[header.list] =
      ::new (header_at - header.padding) FreeBlock{control.free[header.list]};
}

// Reserved once, for good.
bool reserve_region() {
  if (region_bytes != 0) return true;
  void* memory =
      mmap(nullptr, kRegionBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  region_begin = static_cast<std::byte*>(memory);
  region_bytes = kRegionBytes;
  return true;
}

void* take_arena() {
  const std::lock_guard guard(region_lock);
  if (kAddressSanitizer || !reserve_region()) return nullptr;
  bool* const free = std::find(std::begin(taken), std::end(taken), false);
  if (free == std::end(taken)) return nullptr;
  std::byte* const base = region_begin.load() + static_cast<size_t>(free - taken) * kArenaBytes;
  if (mprotect(base, kArenaBytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
  *free = true;
  return base;
}

void give_arena(void* base) {
  const std::lock_guard guard(region_lock);
  // The pages go back to the system; the addresses stay reserved.
  constexpr int kEmpty = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmap(base, kArenaBytes, PROT_NONE, kEmpty, -1, 0) == MAP_FAILED) return;  // it stays taken
  taken[offset_of(base) / kArenaBytes] = false;
}

}  // namespace

RunArena::RunArena() : control_(take_arena()) {
  if (!usable()) return;
  auto* const base = static_cast<std::byte*>(control_);
  ::new (control_) Control{base + sizeof(Control), base + kArenaBytes, {}};
}

RunArena::~RunArena() {
  if (usable()) give_arena(control_);
}

void RunArena::save() {
  auto* const base = static_cast<std::byte*>(control_);
  saved_bytes_ = static_cast<size_t>(static_cast<Control*>(control_)->next - base);
  saved_ = std::make_unique_for_overwrite<std::byte[]>(saved_bytes_);
  std::memcpy(saved_.get(), base, saved_bytes_);
}

void RunArena::restore() {
  std::memcpy(control_, saved_.get(), saved_bytes_);
}

size_t RunArena::place_of(const void* object) {
  if (!is_in_arena(object)) return 0;
  return offset_of(object) % kArenaBytes;
}

}  // namespace coldread::sim

#if !COLDREAD_ASAN

// The other forms of new and delete end up in these four.
void* operator new(size_t bytes) {
  using namespace coldread::sim;
  void* block = run_arena::inside != nullptr ? allocate(bytes, kUnit)
                                             : std::malloc(std::max(bytes, size_t{1}));
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void* operator new(size_t bytes, std::align_val_t align) {
  using namespace coldread::sim;
  const size_t alignment = std::max(static_cast<size_t>(align), sizeof(void*));
  void* block = nullptr;
  if (run_arena::inside != nullptr)
    block = allocate(bytes, alignment);
  else if (posix_memalign(&block, alignment, std::max(bytes, size_t{1})) != 0)
    block = nullptr;
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void operator delete(void* block) noexcept {
  using namespace coldread::sim;
  if (is_in_arena(block)) [[unlikely]]
    release(block);
  else
    std::free(block);
}

void operator delete(void* block, std::align_val_t) noexcept {
  operator delete(block);
}

// libstdc++ sends sized deletes here too, but compilers warn if one form is replaced alone.
void operator delete(void* block, size_t) noexcept {
  operator delete(block);
}
void operator delete(void* block, size_t, std::align_val_t) noexcept {
  operator delete(block);
}

#endif
