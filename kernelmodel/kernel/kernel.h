// One booted kernel: what a kernel function reaches without being handed it.
//
// The model has no globals; everything that is one in Linux hangs off this object, and every
// modelled function that needs it takes it as its first parameter. Thread rules: one Kernel, one
// Scheduler, one thread. Lifetime: all ports outlive it; its memory is the scheduler's.
#pragma once

#include "kernelmodel/fscache/fscache.h"
#include "kernelmodel/kernel/file.h"
#include "kernelmodel/kernel/memory.h"
#include "kernelmodel/kernel/work_queue.h"
#include "kernelmodel/ports/backing_store.h"
#include "kernelmodel/ports/log.h"
#include "kernelmodel/ports/scheduler.h"
#include "kernelmodel/ports/trace.h"
#include "kernelmodel/profile.h"

namespace coldread {

struct cachefiles_state;  // kernelmodel/cachefiles/internal.h

inline constexpr uint64_t kPageSize = 4096;  // bytes

// To a multiple of `unit` (> 0); value + unit must fit in 64 bits.
constexpr uint64_t round_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}
constexpr uint64_t round_down(uint64_t value, uint64_t unit) {
  return value / unit * unit;
}

struct Kernel {
  Kernel(Scheduler& scheduler, BackingStore& store, Trace& trace, Log& log, const Profile& profile);

  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  Scheduler& scheduler;
  BackingStore& store;
  Trace& trace;
  Log& log;
  const Profile profile;

  WorkQueue fscache_wq;  // cookies' state machines and reopened objects
  WorkQueue system_wq;   // volumes' creation
  Pool<File> files;
  fscache_state fscache;         // fs/fscache's globals
  cachefiles_state& cachefiles;  // fs/cachefiles' globals

  Allocation fails_next = Allocation::none;  // it does once

  bool security = false;  // CONFIG_SECURITY; no security module is there, so that nobody objects
  // The surroundings, the same in every scenario: no step changes them, tests of the model may.
  uint64_t realtime_seconds = 1'700'000'000;  // what CLOCK_REALTIME showed at boot
};

// Whether there is memory for this one; false once if it is the one that fails next.
bool has_memory_for(Kernel& kernel, Allocation what);

// printk through kernel.log (include/linux/printk.h), cut to 511 bytes. Never blocks.
[[gnu::format(printf, 2, 3)]] void pr_err(Kernel& kernel, const char* format, ...);
[[gnu::format(printf, 2, 3)]] void pr_notice(Kernel& kernel, const char* format, ...);

// Sends a signal that the task handles: ends its wait if that is interruptible (kernel/signal.c).
void signal_wake_up(Kernel& kernel, Task& task);

// A turn of a busy loop (asm/processor.h): lets everybody else get on first, since here whoever is
// waited for has no CPU of its own.
void cpu_relax(Kernel& kernel);

// WARN_ON (include/asm-generic/bug.h): notes `text` if `condition`, returns it; the run goes on.
bool warn_on(Kernel& kernel, bool condition, std::string_view text);

}  // namespace coldread
