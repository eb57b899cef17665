// Volumes: acquired by key, created on disk by a worker, waited for when a key comes back too soon.
//
// Models fs/fscache/volume.c (fs/netfs/fscache_volume.c since 6.8).
#include <algorithm>
#include <cstring>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/fscache/fscache.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

void trace_volume(Kernel& k, uint32_t volume, int ref, const char* where) {
  if (k.trace.enabled()) trace_emit(k, "fscache_volume", "V=%08x %s u=%d", volume, where, ref);
}

void trace_access(Kernel& k, VolumeHandle volume, CookieHandle cookie, int n_accesses,
                  const char* why) {
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_access_volume", "V=%08x c=%08x %s r=%d a=%d", volume->debug_id,
               cookie ? cookie->debug_id : 0, why, volume->ref.peek(), n_accesses);
  }
}

void begin_access(Kernel& k, VolumeHandle volume, CookieHandle cookie, const char* why) {
  trace_access(k, volume, cookie, volume->n_accesses.inc_return(), why);
}

bool same_volume(Kernel& k, VolumeHandle a, VolumeHandle b) {
  if (a->key_hash != b->key_hash || a->cache != b->cache) return false;
  // The length was a signed byte: as a size it was huge.
  if (a->key[0] > 127 && !k.profile.has(Change::fscache_volume_key_oob)) {
    k.scheduler.broken(ReportKind::out_of_bounds,
                       "volume keys of more than 127 bytes are compared beyond their end");
  }
  return a->key == b->key;
}

// Before fscache_volume_collision_condition the outcome of the first wait was taken for its
// opposite.
void wait_on_volume_collision(Kernel& k, VolumeHandle candidate, uint32_t collidee) {
  const bool is_free = candidate->flags.wait_on_bit_until(FSCACHE_VOLUME_ACQUIRE_PENDING,
                                                          k.scheduler.now() + kCollisionNotice);
  if (is_free == k.profile.has(Change::fscache_volume_collision_condition)) return;
  pr_err(k, "Potential volume collision new=%08x old=%08x", candidate->debug_id, collidee);
  k.fscache.stats.n_volumes_collision++;
  candidate->flags.wait_on_bit(FSCACHE_VOLUME_ACQUIRE_PENDING);
}

// Inserts the volume; false: somebody holds the key. Waits for one that is on its way out.
bool fscache_hash_volume(Kernel& k, VolumeHandle candidate) {
  fscache_state& fs = k.fscache;
  uint32_t collidee = 0;
  fs.volume_hash_lock.lock();
  const auto [first, last] = fs.volume_hash.equal_range(candidate->key_hash);
  for (auto at = first; at != last; ++at) {
    const VolumeHandle cursor = at->second;
    if (!same_volume(k, candidate, cursor)) continue;
    if (!cursor->flags.test(FSCACHE_VOLUME_RELINQUISHED)) {
      trace_volume(k, cursor->debug_id, cursor->ref.peek(), "*COLLIDE*");
      fs.volume_hash_lock.unlock();
      return false;
    }
    trace_volume(k, cursor->debug_id, cursor->ref.peek(), "GET hcoll");
    cursor->flags.set(FSCACHE_VOLUME_COLLIDED_WITH);
    candidate->flags.set(FSCACHE_VOLUME_ACQUIRE_PENDING);
    collidee = cursor->debug_id;
    break;
  }
  fs.volume_hash.emplace_hint(first, candidate->key_hash, candidate);
  candidate->hashed = true;
  fs.volume_hash_lock.unlock();
  if (candidate->flags.test(FSCACHE_VOLUME_ACQUIRE_PENDING)) {
    wait_on_volume_collision(k, candidate, collidee);
  }
  return true;
}

void fscache_unhash_volume(Kernel& k, VolumeHandle volume) {
  fscache_state& fs = k.fscache;
  fs.volume_hash_lock.lock();
  const auto [first, last] = fs.volume_hash.equal_range(volume->key_hash);
  for (auto at = first; at != last; ++at) {
    if (at->second != volume) continue;
    fs.volume_hash.erase(at);
    break;
  }
  volume->hashed = false;
  if (volume->flags.test(FSCACHE_VOLUME_COLLIDED_WITH)) {
    const auto [begin, end] = fs.volume_hash.equal_range(volume->key_hash);
    for (auto at = begin; at != end; ++at) {
      const VolumeHandle cursor = at->second;
      if (!same_volume(k, cursor, volume)) continue;
      trace_volume(k, cursor->debug_id, cursor->ref.peek(), "SEE hwake");
      if (k.profile.has(Change::fscache_relinquished_volume_wait)) {
        cursor->flags.clear_and_wake_up(FSCACHE_VOLUME_ACQUIRE_PENDING);
      } else {
        cursor->flags.clear(FSCACHE_VOLUME_ACQUIRE_PENDING);  // and woke those who wait for a bit
      }
      break;
    }
  }
  fs.volume_hash_lock.unlock();
}

}  // namespace

void fscache_create_volume_work(void* argument) {
  auto* raw = static_cast<fscache_volume*>(argument);
  Kernel& k = *raw->kernel;
  const VolumeHandle volume = VolumeHandle::of(*raw);
  trace_volume(k, volume->debug_id, volume->ref.peek(), "SEE creat");
  cachefiles_acquire_volume(k, volume);
  fscache_end_cache_access(k, volume->cache, "END   acq_vol");
  volume->flags.clear_and_wake_up(FSCACHE_VOLUME_CREATING);
  fscache_put_volume(k, volume, "PUT creat");
}

namespace {

VolumeHandle fscache_alloc_volume(Kernel& k, std::string_view key, std::string_view cache_name,
                                  std::span<const std::byte> coherency) {
  if (key.size() > kNameMax) return {};
  fscache_state& fs = k.fscache;
  const CacheHandle cache = fscache_lookup_cache(k, cache_name, false);
  const VolumeHandle volume = fs.volume_pool.create(k);
  volume->cache = cache;
  volume->coherency_len = static_cast<uint8_t>(coherency.size());
  std::ranges::copy(coherency.first(std::min(coherency.size(), volume->coherency.size())),
                    volume->coherency.begin());
  volume->key[0] = static_cast<uint8_t>(key.size());
  std::memcpy(volume->key.data() + 1, key.data(), key.size());
  volume->key_hash =
      fscache_hash(0, {volume->key.data(), static_cast<size_t>(round_up(key.size() + 2, 4))});
  volume->debug_id = static_cast<uint32_t>(fs.volume_debug_id.inc_return());

  fs.addremove_sem.down_write();
  cache->n_volumes.inc_return();
  fs.volumes.push_back(volume);
  fs.stats.n_volumes++;
  trace_volume(k, volume->debug_id, volume->ref.peek(), "NEW acq  ");
  fs.addremove_sem.up_write();
  return volume;
}

void fscache_free_volume(Kernel& k, VolumeHandle volume) {
  const CacheHandle cache = volume->cache;
  if (volume->cache_priv) {
    begin_access(k, volume, {}, "BEGIN rlq_vol");
    if (volume->cache_priv) cachefiles_free_volume(k, volume);
    fscache_end_volume_access(k, volume, {}, "END   rlq_vol");
  }
  k.fscache.addremove_sem.down_write();
  k.fscache.volumes.remove(volume);
  k.fscache.stats.n_volumes--;
  cache->n_volumes.dec_return();
  k.fscache.addremove_sem.up_write();
  if (volume->hashed) fscache_unhash_volume(k, volume);
  trace_volume(k, volume->debug_id, 0, "FREE     ");
  k.fscache.volume_pool.destroy(volume);
  fscache_put_cache(k, cache, "PUT vol  ");
}

}  // namespace

VolumeHandle fscache_get_volume(Kernel& k, VolumeHandle volume, const char* where) {
  volume->ref.get();
  trace_volume(k, volume->debug_id, volume->ref.peek(), where);
  return volume;
}

VolumeHandle fscache_try_get_volume(Kernel& k, VolumeHandle volume, const char* where) {
  if (!volume->ref.inc_not_zero()) return {};
  trace_volume(k, volume->debug_id, volume->ref.peek(), where);
  return volume;
}

void fscache_put_volume(Kernel& k, VolumeHandle volume, const char* where) {
  const uint32_t debug_id = volume->debug_id;
  int ref = 0;
  const bool zero = volume->ref.put(&ref);
  trace_volume(k, debug_id, ref - 1, where);
  if (zero) fscache_free_volume(k, volume);
}

bool fscache_begin_volume_access(Kernel& k, VolumeHandle volume, CookieHandle cookie,
                                 const char* why) {
  if (!fscache_cache_is_live(volume->cache)) return false;
  begin_access(k, volume, cookie, why);
  if (!fscache_cache_is_live(volume->cache)) {
    fscache_end_volume_access(k, volume, cookie, "END   unlive ");
    return false;
  }
  return true;
}

void fscache_end_volume_access(Kernel& k, VolumeHandle volume, CookieHandle cookie,
                               const char* why) {
  const int n_accesses = volume->n_accesses.dec_return();
  trace_access(k, volume, cookie, n_accesses, why);
  if (n_accesses == 0) volume->accesses_wait.wake_up_all();
}

void fscache_create_volume(Kernel& k, VolumeHandle volume, bool wait) {
  if (!volume->flags.test_and_set(FSCACHE_VOLUME_CREATING)) {
    if (volume->cache_priv || !fscache_begin_cache_access(k, volume->cache, "BEGIN acq_vol")) {
      volume->flags.clear_and_wake_up(FSCACHE_VOLUME_CREATING);
      return;
    }
    fscache_get_volume(k, volume, "GET creat");
    if (!k.system_wq.queue(volume->work)) fscache_put_volume(k, volume, "PUT creat");
  }
  if (wait) {
    trace_volume(k, volume->debug_id, volume->ref.peek(), "WAIT crea");
    volume->flags.wait_on_bit(FSCACHE_VOLUME_CREATING);
  }
}

VolumeHandle fscache_acquire_volume(Kernel& k, std::string_view key, std::string_view cache_name,
                                    std::span<const std::byte> coherency, int* error) {
  const VolumeHandle volume = fscache_alloc_volume(k, key, cache_name, coherency);
  if (!volume) {
    *error = -ENOMEM;
    return {};
  }
  if (!fscache_hash_volume(k, volume)) {
    fscache_put_volume(k, volume, "PUT hcoll");
    *error = -EBUSY;
    return {};
  }
  fscache_create_volume(k, volume, false);
  *error = 0;
  return volume;
}

void fscache_relinquish_volume(Kernel& k, VolumeHandle volume, std::span<const std::byte> coherency,
                               bool invalidate) {
  if (warn_on(k, volume->flags.test_and_set(FSCACHE_VOLUME_RELINQUISHED),
              "volume relinquished twice")) {
    return;
  }
  if (invalidate) {
    volume->flags.set(FSCACHE_VOLUME_INVALIDATE);
  } else if (!coherency.empty()) {
    std::memcpy(volume->coherency.data(), coherency.data(), volume->coherency_len);
  }
  fscache_put_volume(k, volume, "PUT relnq");
}

void fscache_withdraw_volume(Kernel& k, VolumeHandle volume) {
  trace_access(k, volume, {}, volume->n_accesses.dec_return(), "UNPIN cache  ");
  volume->accesses_wait.wait_event([&] { return volume->n_accesses.read() == 0; });
}

}  // namespace coldread
