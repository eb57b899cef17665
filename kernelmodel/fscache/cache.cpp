// Cache records: found or made by name, taken into service by a cache, withdrawn again.
//
// Models fs/fscache/cache.c (fs/netfs/fscache_cache.c since 6.8).
#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/fscache/fscache.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

void trace_cache(Kernel& k, uint32_t cache, int ref, const char* where) {
  if (k.trace.enabled()) trace_emit(k, "fscache_cache", "C=%08x %s r=%d", cache, where, ref);
}

void trace_access(Kernel& k, CacheHandle cache, int n_accesses, const char* why) {
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_access_cache", "C=%08x %s r=%d a=%d", cache->debug_id, why,
               cache->ref.peek(), n_accesses);
  }
}

bool get_cache_maybe(Kernel& k, CacheHandle cache) {
  if (!cache->ref.inc_not_zero()) return false;
  trace_cache(k, cache->debug_id, cache->ref.peek(), "GET acq  ");
  return true;
}

// What a search under either lock finds. A caller without a name takes an unnamed record first and
// then any; a cache may adopt an unnamed one.
CacheHandle find_cache(Kernel& k, std::string_view name) {
  for (const CacheHandle cache : k.fscache.caches) {
    const bool same = name.empty() ? !cache->named : cache->named && name == cache->name;
    if (same && get_cache_maybe(k, cache)) return cache;
  }
  return {};
}

CacheHandle find_any_named(Kernel& k) {
  for (const CacheHandle cache : k.fscache.caches) {
    if (cache->named && get_cache_maybe(k, cache)) return cache;
  }
  return {};
}

CacheHandle adopt_unnamed(Kernel& k, std::string_view name) {
  for (const CacheHandle cache : k.fscache.caches) {
    if (cache->named || !get_cache_maybe(k, cache)) continue;
    cache->named = true;
    cache->name.assign(name);
    return cache;
  }
  return {};
}

}  // namespace

CacheHandle fscache_lookup_cache(Kernel& k, std::string_view name, bool is_cache) {
  fscache_state& fs = k.fscache;
  fs.addremove_sem.down_read();
  CacheHandle cache = find_cache(k, name);
  if (!cache && name.empty()) cache = find_any_named(k);
  fs.addremove_sem.up_read();
  if (cache) return cache;

  // A candidate is made before anything is locked; if it is not needed its id is lost.
  const auto debug_id = static_cast<uint32_t>(fs.cache_debug_id.inc_return());
  fs.addremove_sem.down_write();
  cache = find_cache(k, name);
  if (!cache && is_cache) cache = adopt_unnamed(k, name);
  if (!cache && name.empty()) cache = find_any_named(k);
  if (!cache) {
    cache = fs.cache_pool.create(k.scheduler, name, debug_id);
    fs.caches.push_back(cache);
    trace_cache(k, cache->debug_id, cache->ref.peek(), "NEW acq  ");
  }
  fs.addremove_sem.up_write();
  return cache;
}

CacheHandle fscache_acquire_cache(Kernel& k, std::string_view name) {
  const CacheHandle cache = fscache_lookup_cache(k, name, true);
  if (cache->state != FSCACHE_CACHE_IS_NOT_PRESENT) {
    pr_err(k, "Cache tag %s in use", cache->name.c_str());
    fscache_put_cache(k, cache, "PUT cache");
    return {};
  }
  cache->state = FSCACHE_CACHE_IS_PREPARING;
  return cache;
}

void fscache_put_cache(Kernel& k, CacheHandle cache, const char* where) {
  const uint32_t debug_id = cache->debug_id;
  int ref = 0;
  const bool zero = cache->ref.put(&ref);
  trace_cache(k, debug_id, ref - 1, where);
  if (!zero) return;
  k.fscache.addremove_sem.down_write();
  k.fscache.caches.remove(cache);
  k.fscache.addremove_sem.up_write();
  k.fscache.cache_pool.destroy(cache);
}

void fscache_relinquish_cache(Kernel& k, CacheHandle cache) {
  const char* where = cache->state == FSCACHE_CACHE_IS_PREPARING ? "PUT pfail" : "PUT relnq";
  cache->cache_priv = {};
  cache->state = FSCACHE_CACHE_IS_NOT_PRESENT;
  fscache_put_cache(k, cache, where);
}

int fscache_add_cache(Kernel& k, CacheHandle cache, Handle<cachefiles_cache> cache_priv) {
  trace_access(k, cache, cache->n_accesses.inc_return(), "PIN   cache  ");
  k.fscache.addremove_sem.down_write();
  cache->cache_priv = cache_priv;
  cache->state = FSCACHE_CACHE_IS_ACTIVE;
  k.fscache.addremove_sem.up_write();
  pr_notice(k, "Cache \"%s\" added (type cachefiles)", cache->name.c_str());
  return 0;
}

bool fscache_cache_is_live(CacheHandle cache) {
  return cache->state == FSCACHE_CACHE_IS_ACTIVE;
}

bool fscache_begin_cache_access(Kernel& k, CacheHandle cache, const char* why) {
  if (!fscache_cache_is_live(cache)) return false;
  trace_access(k, cache, cache->n_accesses.inc_return(), why);
  if (!fscache_cache_is_live(cache)) {
    fscache_end_cache_access(k, cache, "END   unlive ");
    return false;
  }
  return true;
}

void fscache_end_cache_access(Kernel& k, CacheHandle cache, const char* why) {
  const int n_accesses = cache->n_accesses.dec_return();
  trace_access(k, cache, n_accesses, why);
  if (n_accesses == 0) cache->accesses_wait.wake_up_all();
}

void fscache_io_error(Kernel& k, CacheHandle cache) {
  if (cache->state != FSCACHE_CACHE_IS_ACTIVE) return;
  cache->state = FSCACHE_CACHE_GOT_IOERROR;
  pr_err(k, "Cache '%s' stopped due to I/O error", cache->name.c_str());
}

void fscache_withdraw_cache(Kernel& k, CacheHandle cache) {
  pr_notice(k, "Withdrawing cache \"%s\" (%d objs)", cache->name.c_str(),
            cache->object_count.peek());
  cache->state = FSCACHE_CACHE_IS_WITHDRAWN;
  trace_access(k, cache, cache->n_accesses.dec_return(), "UNPIN cache  ");
  cache->accesses_wait.wait_event([&] { return cache->n_accesses.read() == 0; });
}

void fscache_count_object(CacheHandle cache) {
  cache->object_count.inc_return();
}

void fscache_uncount_object(CacheHandle cache) {
  if (cache->object_count.dec_return() == 0) cache->objects_wait.wake_up_all();
}

void fscache_wait_for_objects(CacheHandle cache) {
  cache->objects_wait.wait_event([&] { return cache->object_count.read() == 0; });
}

}  // namespace coldread
