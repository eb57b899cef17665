// The cookie's netfs side: acquiring, using, invalidating and relinquishing a data object.
//
// Models the first half of fs/fscache/cookie.c (fs/netfs/fscache_cookie.c since 6.8); the state
// machine and the LRU list are in cookie_state.cpp.
#include <cstring>

#include "kernelmodel/fscache/cookie_internal.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {

void trace_cookie(Kernel& k, uint32_t cookie, int ref, const char* where) {
  if (k.trace.enabled()) trace_emit(k, "fscache_cookie", "c=%08x %s r=%d", cookie, where, ref);
}

void trace_cookie_access(Kernel& k, CookieHandle cookie, int n_accesses, const char* why) {
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_access", "c=%08x %s r=%d a=%d", cookie->debug_id, why,
               cookie->ref.peek(), n_accesses);
  }
}

void see_cookie(Kernel& k, CookieHandle cookie, const char* where) {
  if (k.trace.enabled()) trace_cookie(k, cookie->debug_id, cookie->ref.peek(), where);
}

namespace {

void trace_active(Kernel& k, CookieHandle cookie, int n_active, const char* why) {
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_active", "c=%08x %s r=%d a=%d c=%d", cookie->debug_id, why,
               cookie->ref.peek(), cookie->n_accesses.peek(), n_active);
  }
}

void free_cookie(Kernel& k, CookieHandle cookie) {
  warn_on(k, cookie->on_lru, "cookie freed while on the LRU list");
  warn_on(k, cookie->flags.test(FSCACHE_COOKIE_IS_HASHED), "cookie freed while hashed");
  k.fscache.cookies.erase(cookie->proc_link);
  k.fscache.stats.n_cookies--;
  k.fscache.cookie_pool.destroy(cookie);
}

CookieHandle alloc_cookie(Kernel& k, VolumeHandle volume, uint8_t advice,
                          std::span<const std::byte> key, std::span<const std::byte> aux,
                          int64_t object_size) {
  const CookieHandle cookie = k.fscache.cookie_pool.create(k);
  cookie->volume = volume;
  cookie->advice = advice;
  cookie->key_len = static_cast<uint8_t>(key.size());
  std::memcpy(cookie->key.data(), key.data(), key.size());
  cookie->aux_len = static_cast<uint8_t>(aux.size());
  if (!aux.empty()) std::memcpy(cookie->aux.data(), aux.data(), aux.size());
  cookie->object_size = object_size;
  if (object_size == 0) cookie->flags.set(FSCACHE_COOKIE_NO_DATA_TO_READ);
  cookie->key_hash =
      fscache_hash(volume->key_hash, {reinterpret_cast<const uint8_t*>(cookie->key.data()),
                                      static_cast<size_t>(round_up(key.size(), 4))});
  cookie->debug_id = static_cast<uint32_t>(k.fscache.cookie_debug_id.inc_return());
  cookie->proc_link = k.fscache.cookies.insert(k.fscache.cookies.end(), cookie);
  k.fscache.stats.n_cookies++;
  see_cookie(k, cookie, "NEW acq  ");
  return cookie;
}

bool same_cookie(CookieHandle a, CookieHandle b) {
  return a->key_hash == b->key_hash && a->volume == b->volume && a->key_len == b->key_len &&
         a->key == b->key;
}

void wait_on_collision(Kernel& k, CookieHandle candidate, CookieHandle wait_for) {
  const auto dropped = [&] { return wait_for->state == FSCACHE_COOKIE_STATE_DROPPED; };
  if (wait_for->state_wait.wait_event_until(dropped, k.scheduler.now() + kCollisionNotice)) return;
  pr_err(k, "Potential collision c=%08x old: c=%08x", candidate->debug_id, wait_for->debug_id);
  wait_for->state_wait.wait_event(dropped);
}

// Inserts the cookie; false: there is one of that key. Waits for one that is on its way out.
bool fscache_hash_cookie(Kernel& k, CookieHandle candidate) {
  fscache_state& fs = k.fscache;
  CookieHandle wait_for;
  fs.cookie_hash_lock.lock();
  const auto [first, last] = fs.cookie_hash.equal_range(candidate->key_hash);
  for (auto at = first; at != last; ++at) {
    const CookieHandle cursor = at->second;
    if (!same_cookie(candidate, cursor)) continue;
    if (!cursor->flags.test(FSCACHE_COOKIE_RELINQUISHED)) {
      see_cookie(k, cursor, "*COLLIDE*");
      pr_err(k, "Duplicate cookie detected");
      fs.cookie_hash_lock.unlock();
      return false;
    }
    wait_for = fscache_get_cookie(k, cursor, "GET hcoll");
    break;
  }
  fscache_get_volume(k, candidate->volume, "GET cook ");
  candidate->volume->n_cookies.inc();
  fs.cookie_hash.emplace_hint(first, candidate->key_hash, candidate);
  candidate->flags.set(FSCACHE_COOKIE_IS_HASHED);
  fs.cookie_hash_lock.unlock();

  if (wait_for) {
    wait_on_collision(k, candidate, wait_for);
    fscache_put_cookie(k, wait_for, "PUT hcoll");
  }
  return true;
}

// Begins the lookup, which a worker carries out; false: the cache is not there.
bool begin_lookup(Kernel& k, CookieHandle cookie, bool will_modify) {
  if (will_modify) {
    cookie->flags.set(FSCACHE_COOKIE_LOCAL_WRITE);
    cookie->flags.set(FSCACHE_COOKIE_DO_PREP_TO_WRITE);
  }
  if (!fscache_begin_volume_access(k, cookie->volume, cookie, "BEGIN lookup ")) return false;
  trace_cookie_access(k, cookie, cookie->n_accesses.inc_return(), "BEGIN lookup ");
  cookie->state = FSCACHE_COOKIE_STATE_LOOKING_UP;
  cookie->flags.set(FSCACHE_COOKIE_IS_CACHING);
  cookie->flags.set(FSCACHE_COOKIE_HAS_BEEN_CACHED);
  return true;
}

// A user has come; whether the state machine must run. Called with the cookie's lock, which is let
// go while a discard is waited for.
bool note_use(Kernel& k, CookieHandle cookie, bool will_modify) {
  while (cookie->state == FSCACHE_COOKIE_STATE_LRU_DISCARDING) {
    cookie->lock.unlock();
    cookie->state_wait.wait_event(
        [&] { return cookie->state != FSCACHE_COOKIE_STATE_LRU_DISCARDING; });
    cookie->lock.lock();
  }
  switch (cookie->state) {
    case FSCACHE_COOKIE_STATE_QUIESCENT:
      return begin_lookup(k, cookie, will_modify);
    case FSCACHE_COOKIE_STATE_LOOKING_UP:
    case FSCACHE_COOKIE_STATE_CREATING:
      if (will_modify) cookie->flags.set(FSCACHE_COOKIE_LOCAL_WRITE);
      return false;
    case FSCACHE_COOKIE_STATE_ACTIVE:
    case FSCACHE_COOKIE_STATE_INVALIDATING: {
      bool queue = false;
      if (will_modify && !cookie->flags.test_and_set(FSCACHE_COOKIE_LOCAL_WRITE)) {
        cookie->flags.set(FSCACHE_COOKIE_DO_PREP_TO_WRITE);
        queue = true;
      }
      if (k.profile.has(Change::fscache_lru_use_race) &&
          cookie->flags.test_and_clear(FSCACHE_COOKIE_DO_LRU_DISCARD)) {
        see_cookie(k, cookie, "-   lrudc");
      }
      return queue;
    }
    case FSCACHE_COOKIE_STATE_DROPPED:
    case FSCACHE_COOKIE_STATE_RELINQUISHING:
      warn_on(k, true, "cookie used while it is relinquished");
      return false;
    default:
      return false;
  }
}

void update_aux(CookieHandle cookie, std::span<const std::byte> aux, const int64_t* object_size) {
  if (!aux.empty()) std::memcpy(cookie->aux.data(), aux.data(), cookie->aux_len);
  if (object_size != nullptr) cookie->object_size = *object_size;
}

// __fscache_update_cookie()
void do_update(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
               const int64_t* object_size) {
  k.fscache.stats.n_updates++;
  update_aux(cookie, aux, object_size);
  cookie->flags.set(FSCACHE_COOKIE_NEEDS_UPDATE);
}

void unuse_cookie_locked(Kernel& k, CookieHandle cookie) {
  cookie->flags.clear(FSCACHE_COOKIE_DISABLED);
  if (!cookie->flags.test(FSCACHE_COOKIE_IS_CACHING)) return;
  fscache_cookie_to_lru(k, cookie);
}

}  // namespace

CookieHandle fscache_get_cookie(Kernel& k, CookieHandle cookie, const char* where) {
  cookie->ref.get();
  see_cookie(k, cookie, where);
  return cookie;
}

void fscache_put_cookie(Kernel& k, CookieHandle cookie, const char* where) {
  const VolumeHandle volume = cookie->volume;
  const uint32_t debug_id = cookie->debug_id;
  int ref = 0;
  const bool zero = cookie->ref.put(&ref);
  trace_cookie(k, debug_id, ref - 1, where);
  if (!zero) return;
  free_cookie(k, cookie);
  fscache_put_volume(k, volume, "PUT cook ");
}

CookieHandle fscache_acquire_cookie(Kernel& k, VolumeHandle volume, uint8_t advice,
                                    std::span<const std::byte> key, std::span<const std::byte> aux,
                                    int64_t object_size) {
  if (key.empty() || key.size() > 255 || aux.size() > 255) return {};
  k.fscache.stats.n_acquires++;
  const CookieHandle cookie = alloc_cookie(k, volume, advice, key, aux, object_size);
  if (!fscache_hash_cookie(k, cookie)) {
    see_cookie(k, cookie, "DISCARD  ");
    free_cookie(k, cookie);
    return {};
  }
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_acquire", "c=%08x V=%08x vr=%d vc=%d", cookie->debug_id,
               volume->debug_id, volume->ref.peek(), volume->n_cookies.peek());
  }
  k.fscache.stats.n_acquires_ok++;
  return cookie;
}

void fscache_use_cookie(Kernel& k, CookieHandle cookie, bool will_modify) {
  if (warn_on(k, cookie->flags.test(FSCACHE_COOKIE_RELINQUISHED),
              "Trying to use relinquished cookie")) {
    return;
  }
  cookie->lock.lock();
  trace_active(k, cookie, cookie->n_active.inc_return(),
               will_modify ? "USE-m        " : "USE          ");
  const bool queue = note_use(k, cookie, will_modify);
  cookie->lock.unlock();
  if (queue) fscache_queue_cookie(k, cookie, "GQ  use  ");
}

void fscache_unuse_cookie(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                          const int64_t* object_size) {
  if (!aux.empty() || object_size != nullptr) do_update(k, cookie, aux, object_size);
  // All but the last user leave without the lock.
  int users = cookie->n_active.read();
  while (users != 1) {
    const int seen = cookie->n_active.cmpxchg(users, users - 1);
    if (seen == users) {
      trace_active(k, cookie, users - 1, "UNUSE        ");
      return;
    }
    users = seen;
  }
  cookie->lock.lock();
  users = cookie->n_active.dec_return();
  trace_active(k, cookie, users, "UNUSE        ");
  if (users == 0) unuse_cookie_locked(k, cookie);
  cookie->lock.unlock();
}

void fscache_relinquish_cookie(Kernel& k, CookieHandle cookie, bool retire) {
  k.fscache.stats.n_relinquishes++;
  if (retire) k.fscache.stats.n_relinquishes_retire++;
  if (warn_on(k, cookie->flags.test_and_set(FSCACHE_COOKIE_RELINQUISHED),
              "Cookie already relinquished")) {
    return;
  }
  if (retire) cookie->flags.set(FSCACHE_COOKIE_RETIRED);
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_relinquish", "c=%08x V=%08x r=%d U=%d f=%02x rt=%u", cookie->debug_id,
               cookie->volume->debug_id, cookie->ref.peek(), cookie->n_active.peek(),
               static_cast<unsigned>(cookie->flags.peek() & 0xff), retire ? 1u : 0u);
  }
  if (cookie->n_active.read() != 0) {
    k.scheduler.broken(ReportKind::warning, "cookie relinquished while in use");
  }
  cookie->volume->n_cookies.dec();
  if (cookie->flags.test(FSCACHE_COOKIE_HAS_BEEN_CACHED)) {
    cookie->flags.set(FSCACHE_COOKIE_DO_RELINQUISH);
    fscache_drop_withdraw_cookie(k, cookie);
  } else {
    fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_DROPPED);
    fscache_unhash_cookie(k, cookie);
  }
  fscache_put_cookie(k, cookie, "PUT relnq");
}

void fscache_update_cookie(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                           const int64_t* object_size) {
  if (cookie->enabled()) do_update(k, cookie, aux, object_size);
}

void fscache_note_page_release(CookieHandle cookie) {
  if (cookie->flags.test(FSCACHE_COOKIE_HAVE_DATA) &&
      cookie->flags.test(FSCACHE_COOKIE_NO_DATA_TO_READ)) {
    cookie->flags.clear(FSCACHE_COOKIE_NO_DATA_TO_READ);
  }
}

void fscache_invalidate(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                        int64_t new_size, unsigned flags) {
  if (!cookie->enabled()) return;
  k.fscache.stats.n_invalidates++;
  if (warn_on(k, cookie->flags.test(FSCACHE_COOKIE_RELINQUISHED),
              "Trying to invalidate relinquished cookie")) {
    return;
  }
  if ((flags & FSCACHE_INVAL_DIO_WRITE) != 0 &&
      cookie->flags.test_and_set(FSCACHE_COOKIE_DISABLED)) {
    return;
  }
  cookie->lock.lock();
  cookie->flags.set(FSCACHE_COOKIE_NO_DATA_TO_READ);
  update_aux(cookie, aux, &new_size);
  cookie->inval_counter++;
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_invalidate", "c=%08x sz=%llx", cookie->debug_id,
               static_cast<unsigned long long>(new_size));
  }
  // One access, however often; before fscache_inval_access_ref_leak one each time.
  if (cookie->state == FSCACHE_COOKIE_STATE_LOOKING_UP &&
      k.profile.has(Change::fscache_invalidate_during_lookup) &&
      (!cookie->flags.test_and_set(FSCACHE_COOKIE_DO_INVALIDATE) ||
       !k.profile.has(Change::fscache_inval_access_ref_leak))) {
    trace_cookie_access(k, cookie, cookie->n_accesses.inc_return(), "BEGIN inval  ");
  }
  if (cookie->state != FSCACHE_COOKIE_STATE_ACTIVE) {
    cookie->lock.unlock();
    return;
  }
  const bool is_caching = fscache_begin_cookie_access(k, cookie, "BEGIN inval  ");
  if (is_caching) cookie->state = FSCACHE_COOKIE_STATE_INVALIDATING;
  cookie->lock.unlock();
  cookie->state_wait.wake_up_all();
  if (is_caching) fscache_queue_cookie(k, cookie, "GQ  inval");
}

}  // namespace coldread
