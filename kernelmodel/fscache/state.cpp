// The globals of fscache and the construction of its records.

#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/fscache/cookie_internal.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread {

fscache_cache::fscache_cache(Scheduler& scheduler, std::string_view cache_name, uint32_t id)
    : ref(scheduler, "fscache_cache->ref", 1),
      n_volumes(scheduler, 0),
      n_accesses(scheduler, 0),
      object_count(scheduler, 0),
      accesses_wait(scheduler, "fscache_cache->n_accesses"),
      objects_wait(scheduler, "fscache_clearance_waiters"),
      debug_id(id),
      named(!cache_name.empty()),
      name(cache_name, &scheduler.memory()) {}

fscache_volume::fscache_volume(Kernel& k)
    : ref(k.scheduler, "fscache_volume->ref", 1),
      n_cookies(k.scheduler, 0),
      n_accesses(k.scheduler, 0),
      accesses_wait(k.scheduler, "volume->n_accesses"),
      flags(k.scheduler, "volume->flags"),
      work(fscache_create_volume_work, this),
      kernel(&k) {}

fscache_cookie::fscache_cookie(Kernel& k)
    : ref(k.scheduler, "fscache_cookie->ref", 1),
      n_active(k.scheduler, 0),
      n_accesses(k.scheduler, 0),
      lock(k.scheduler, LockClass::cookie_lock),
      kernel(&k),
      work(fscache_cookie_worker, this),
      flags(k.scheduler, "cookie->flags"),
      state_wait(k.scheduler, "cookie->state") {}

fscache_state::fscache_state(Kernel& k)
    : kernel(k),
      cache_pool(k.scheduler, "fscache_cache"),
      volume_pool(k.scheduler, "fscache_volume"),
      cookie_pool(k.scheduler, "fscache_cookie"),
      addremove_sem(k.scheduler, LockClass::fscache_addremove_sem),
      caches(&k.scheduler.memory()),
      volumes(&k.scheduler.memory()),
      volume_hash_lock(k.scheduler, LockClass::fscache_volumes_lock),
      volume_hash(&k.scheduler.memory()),
      cookie_hash_lock(k.scheduler, LockClass::fscache_cookies_lock),
      cookie_hash(&k.scheduler.memory()),
      cookies(&k.scheduler.memory()),
      lru_lock(k.scheduler, LockClass::fscache_cookie_lru_lock),
      lru(&k.scheduler.memory()),
      lru_work(fscache_cookie_lru_worker, &k),
      cache_debug_id(k.scheduler, 0),
      volume_debug_id(k.scheduler, 0),
      cookie_debug_id(k.scheduler, 1) {
  lru_timer.fn = fscache_cookie_lru_timed_out;
  lru_timer.arg = &k;
}

int fscache_exit(Kernel& k) {
  fscache_state& fs = k.fscache;
  const bool in_use = k.cachefiles.cache_pool.live() != 0 || fs.volume_pool.live() != 0 ||
                      fs.cookie_pool.live() != 0;
  if (in_use) return -EBUSY;
  if (k.profile.has(Change::fscache_lru_timer_exit)) k.scheduler.disarm(fs.lru_timer);
  fs.unloaded = true;
  return 0;
}

namespace {

constexpr uint32_t rol32(uint32_t word, unsigned shift) {
  return (word << shift) | (word >> (32 - shift));
}

constexpr uint32_t hash_32(uint32_t value) {
  return value * 0x61C88647u;
}

}  // namespace

uint32_t fscache_hash(uint32_t salt, std::span<const uint8_t> data) {
  uint32_t x = 0;
  uint32_t y = salt;
  for (size_t at = 0; at + 4 <= data.size(); at += 4) {
    const uint32_t word =
        static_cast<uint32_t>(data[at]) | static_cast<uint32_t>(data[at + 1]) << 8 |
        static_cast<uint32_t>(data[at + 2]) << 16 | static_cast<uint32_t>(data[at + 3]) << 24;
    x ^= word;
    y ^= x;
    x = rol32(x, 7);
    x += y;
    y = rol32(y, 20);
    y *= 9;
  }
  return hash_32(y ^ hash_32(x));
}

}  // namespace coldread
