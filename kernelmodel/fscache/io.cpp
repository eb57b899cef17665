// Beginning an operation on a cookie: waiting until its state allows it, and pinning it meanwhile.
//
// Models fs/fscache/io.c (fs/netfs/fscache_io.c since 6.8).
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/fscache/fscache.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

enum class Readiness : uint8_t { ready, wait, not_live };

// What a cookie's state means for an operation that wants `want`.
Readiness readiness(Kernel& k, fscache_cookie_state state, fscache_want_state want) {
  switch (state) {
    case FSCACHE_COOKIE_STATE_CREATING:
      return want == FSCACHE_WANT_PARAMS ? Readiness::ready : Readiness::wait;
    case FSCACHE_COOKIE_STATE_LOOKING_UP:
    case FSCACHE_COOKIE_STATE_LRU_DISCARDING:
    case FSCACHE_COOKIE_STATE_INVALIDATING:
      return Readiness::wait;
    case FSCACHE_COOKIE_STATE_ACTIVE:
      return Readiness::ready;
    case FSCACHE_COOKIE_STATE_DROPPED:
    case FSCACHE_COOKIE_STATE_RELINQUISHING:
      warn_on(k, true, "operation on a cookie that is being relinquished");
      return Readiness::not_live;
    default:
      return Readiness::not_live;
  }
}

void wait_for_state_change(Kernel& k, CookieHandle cookie, fscache_cookie_state state,
                           bool* warned) {
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_access", "c=%08x %s r=%d a=%d", cookie->debug_id, "WAIT  io     ",
               cookie->ref.peek(), cookie->n_accesses.peek());
  }
  const auto changed = [&] { return cookie->state != state; };
  if (cookie->state_wait.wait_event_until(changed, k.scheduler.now() + kCollisionNotice)) return;
  if (*warned) return;
  pr_err(k,
         "fscache_begin_operation: cookie state change wait timed out: cookie->state=%u state=%u",
         cookie->state, state);
  *warned = true;
}

int fscache_begin_operation(Kernel& k, netfs_cache_resources& cres, CookieHandle cookie,
                            fscache_want_state want, const char* why) {
  cres.begun = false;
  cres.cookie = cookie;
  cres.file = 0;
  cres.debug_id = cookie->debug_id;
  cres.inval_counter = cookie->inval_counter;
  if (!fscache_begin_cookie_access(k, cookie, why)) {
    cres.cookie = {};
    return -ENOBUFS;
  }

  bool warned = false;
  while (true) {
    cookie->lock.lock();
    const fscache_cookie_state state = cookie->state;
    const Readiness now = readiness(k, state, want);
    cookie->lock.unlock();
    if (now == Readiness::wait) {
      wait_for_state_change(k, cookie, state, &warned);
      continue;
    }
    if (now == Readiness::ready && cachefiles_begin_operation(k, cres, want)) return 0;
    break;
  }
  cres.cookie = {};
  cres.begun = false;
  fscache_end_cookie_access(k, cookie, "END   io_notl");
  return -ENOBUFS;
}

}  // namespace

bool fscache_wait_for_operation(Kernel& k, netfs_cache_resources& cres, fscache_want_state want) {
  const CookieHandle cookie = cres.cookie;
  while (true) {
    if (!fscache_cache_is_live(cookie->volume->cache)) return false;
    const fscache_cookie_state state = cookie->state;
    // Here, unlike at the beginning of an operation, an invalidation does not hide the parameters,
    // and a dropped cookie is no reason to warn.
    if (state == FSCACHE_COOKIE_STATE_ACTIVE ||
        (want == FSCACHE_WANT_PARAMS &&
         (state == FSCACHE_COOKIE_STATE_CREATING || state == FSCACHE_COOKIE_STATE_INVALIDATING))) {
      return cres.file != 0 || cachefiles_begin_operation(k, cres, want);
    }
    if (state != FSCACHE_COOKIE_STATE_CREATING && state != FSCACHE_COOKIE_STATE_INVALIDATING &&
        state != FSCACHE_COOKIE_STATE_LOOKING_UP && state != FSCACHE_COOKIE_STATE_LRU_DISCARDING) {
      return false;
    }
    cookie->state_wait.wait_event([&] { return cookie->state != state; });
  }
}

int fscache_begin_read_operation(Kernel& k, netfs_cache_resources& cres, CookieHandle cookie) {
  if (!cookie->enabled()) return -ENOBUFS;
  return fscache_begin_operation(k, cres, cookie, FSCACHE_WANT_PARAMS, "BEGIN io_read");
}

int fscache_begin_write_operation(Kernel& k, netfs_cache_resources& cres, CookieHandle cookie,
                                  fscache_want_state want) {
  if (!cookie->enabled()) return -ENOBUFS;
  return fscache_begin_operation(k, cres, cookie, want, "BEGIN io_writ");
}

void fscache_end_operation(Kernel& k, netfs_cache_resources& cres) {
  if (cres.begun) cachefiles_end_operation(k, cres);
}

ssize_t fscache_write_to_cache(Kernel& k, CookieHandle cookie, int64_t start, uint64_t length,
                               std::span<const std::byte> pages) {
  netfs_cache_resources cres;
  if (!cookie->enabled() || length == 0 ||
      fscache_begin_operation(k, cres, cookie, FSCACHE_WANT_WRITE, "BEGIN io_writ") < 0) {
    return -ENOBUFS;
  }
  const uint64_t first_page = round_down(static_cast<uint64_t>(start), kPageSize);
  ssize_t ret = cachefiles_prepare_write(k, cres, &start, &length, length, false);
  if (ret >= 0) {
    const uint64_t skip = static_cast<uint64_t>(start) - first_page;
    ret = cachefiles_write(k, cres, start, pages.subspan(skip, length));
  }
  fscache_end_operation(k, cres);
  return ret;
}

void fscache_resize_cookie(Kernel& k, CookieHandle cookie, int64_t new_size) {
  if (!cookie->enabled()) return;
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_resize", "c=%08x os=%08llx sz=%08llx", cookie->debug_id,
               static_cast<unsigned long long>(cookie->object_size),
               static_cast<unsigned long long>(new_size));
  }
  netfs_cache_resources cres;
  if (fscache_begin_operation(k, cres, cookie, FSCACHE_WANT_WRITE, "BEGIN io_resz") < 0) {
    k.fscache.stats.n_resizes_null++;
    return;
  }
  k.fscache.stats.n_resizes++;
  cookie->flags.set(FSCACHE_COOKIE_NEEDS_UPDATE);
  cachefiles_resize_cookie(k, cres, new_size);
  fscache_end_operation(k, cres);
}

}  // namespace coldread
