// The cookie's state machine, its access count and the LRU list that discards what nobody uses.
//
// Models the second half of fs/fscache/cookie.c (fs/netfs/fscache_cookie.c since 6.8). The machine
// runs in a work item and therefore never twice at once for one cookie.
#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/fscache/cookie_internal.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread {

void fscache_set_cookie_state(Kernel& k, CookieHandle cookie, fscache_cookie_state state) {
  (void)k;
  cookie->lock.lock();
  cookie->state = state;
  cookie->lock.unlock();
  cookie->state_wait.wake_up_all();
}

void fscache_queue_cookie(Kernel& k, CookieHandle cookie, const char* where) {
  fscache_get_cookie(k, cookie, where);
  if (!k.fscache_wq.queue(cookie->work)) fscache_put_cookie(k, cookie, "PQ  overq");
}

bool fscache_begin_cookie_access(Kernel& k, CookieHandle cookie, const char* why) {
  if (!cookie->flags.test(FSCACHE_COOKIE_IS_CACHING)) return false;
  trace_cookie_access(k, cookie, cookie->n_accesses.inc_return(), why);
  if (!cookie->flags.test(FSCACHE_COOKIE_IS_CACHING) ||
      !fscache_cache_is_live(cookie->volume->cache)) {
    fscache_end_cookie_access(k, cookie, "END   unlive ");
    return false;
  }
  return true;
}

// Once the access is counted off, nothing keeps the cookie: the netfs may give it back, and the
// state machine drop it, before its flags are looked at (uaf-end-cookie-access).
void fscache_end_cookie_access(Kernel& k, CookieHandle cookie, const char* why) {
  const bool holds = k.profile.has(Change::end_access_holds_cookie);
  if (holds) fscache_get_cookie(k, cookie, "GET endac");
  const int n_accesses = cookie->n_accesses.dec_return();
  trace_cookie_access(k, cookie, n_accesses, why);
  if (n_accesses == 0 && !cookie->flags.test(FSCACHE_COOKIE_NO_ACCESS_WAKE)) {
    fscache_queue_cookie(k, cookie, "GQ  endac");
  }
  if (holds) fscache_put_cookie(k, cookie, "PUT endac");
}

void fscache_cookie_lookup_negative(Kernel& k, CookieHandle cookie) {
  cookie->flags.set(FSCACHE_COOKIE_NO_DATA_TO_READ);
  fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_CREATING);
}

void fscache_resume_after_invalidation(Kernel& k, CookieHandle cookie) {
  fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_ACTIVE);
}

void fscache_caching_failed(Kernel& k, CookieHandle cookie) {
  cookie->flags.clear(FSCACHE_COOKIE_IS_CACHING);
  fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_FAILED);
  see_cookie(k, cookie, "FAILED   ");
}

void fscache_unhash_cookie(Kernel& k, CookieHandle cookie) {
  fscache_state& fs = k.fscache;
  fs.cookie_hash_lock.lock();
  const auto [first, last] = fs.cookie_hash.equal_range(cookie->key_hash);
  for (auto at = first; at != last; ++at) {
    if (at->second != cookie) continue;
    fs.cookie_hash.erase(at);
    break;
  }
  cookie->flags.clear(FSCACHE_COOKIE_IS_HASHED);
  fs.cookie_hash_lock.unlock();
  fs.stats.n_relinquishes_dropped++;
}

namespace {

// Once nobody accesses the cookie any more the machine runs; if nobody does already, at once.
void withdraw_when_idle(Kernel& k, CookieHandle cookie) {
  const bool unpinned = cookie->flags.test_and_clear(FSCACHE_COOKIE_NO_ACCESS_WAKE);
  const int n_accesses = cookie->n_accesses.read();
  if (unpinned) trace_cookie_access(k, cookie, n_accesses, "UNPIN cache  ");
  if (n_accesses == 0) fscache_queue_cookie(k, cookie, "GQ  endac");
}

void drop_from_lru(Kernel& k, CookieHandle cookie) {
  fscache_state& fs = k.fscache;
  if (!cookie->on_lru) return;
  fs.lru_lock.lock();
  const bool need_put = cookie->on_lru;
  if (need_put) {
    fs.lru.erase(cookie->commit_link);
    cookie->on_lru = false;
    fs.stats.n_cookies_lru--;
    fs.stats.n_cookies_lru_dropped++;
  }
  fs.lru_lock.unlock();
  if (need_put) fscache_put_cookie(k, cookie, "PUT lru  ");
}

void lru_timer_reduce(Kernel& k, TimeNs expires) {
  Timer& timer = k.fscache.lru_timer;
  if (!timer.armed || timer.expires > expires) k.scheduler.arm(timer, expires);
}

void lru_do_one(Kernel& k, CookieHandle cookie) {
  see_cookie(k, cookie, "-   lrudo");
  cookie->lock.lock();
  const bool in_use = cookie->state != FSCACHE_COOKIE_STATE_ACTIVE ||
                      k.scheduler.now() < cookie->unused_at + kLruTimeout ||
                      cookie->n_active.read() > 0;
  if (in_use) {
    cookie->lock.unlock();
    k.fscache.stats.n_cookies_lru_removed++;
  } else {
    cookie->flags.set(FSCACHE_COOKIE_DO_LRU_DISCARD);
    cookie->lock.unlock();
    k.fscache.stats.n_cookies_lru_expired++;
    withdraw_when_idle(k, cookie);
  }
  fscache_put_cookie(k, cookie, "PUT lru  ");
}

void perform_lookup(Kernel& k, CookieHandle cookie) {
  const char* trace = "END   lookupf";
  bool need_withdraw = false;
  const VolumeHandle volume = cookie->volume;
  if (!volume->cache_priv) fscache_create_volume(k, volume, true);
  if (!volume->cache_priv) {
    fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_QUIESCENT);
  } else if (!cachefiles_lookup_cookie(k, cookie)) {
    if (cookie->state != FSCACHE_COOKIE_STATE_FAILED) {
      fscache_set_cookie_state(k, cookie, FSCACHE_COOKIE_STATE_QUIESCENT);
    }
    need_withdraw = true;
  } else {
    see_cookie(k, cookie, "-   activ");
    cookie->lock.lock();
    cookie->state = cookie->flags.test_and_clear(FSCACHE_COOKIE_DO_INVALIDATE)
                        ? FSCACHE_COOKIE_STATE_INVALIDATING
                        : FSCACHE_COOKIE_STATE_ACTIVE;
    cookie->lock.unlock();
    cookie->state_wait.wake_up_all();
    trace = "END   lookup ";
  }
  fscache_end_cookie_access(k, cookie, trace);
  if (need_withdraw) fscache_withdraw_cookie(k, cookie);
  fscache_end_volume_access(k, volume, cookie, trace);
}

void perform_invalidation(Kernel& k, CookieHandle cookie) {
  if (!cachefiles_invalidate_cookie(k, cookie)) fscache_caching_failed(k, cookie);
  fscache_end_cookie_access(k, cookie, "END   inval  ");
}

void end_deferred_invalidation(Kernel& k, CookieHandle cookie) {
  if (!k.profile.has(Change::fscache_inval_access_ref_leak)) return;
  if (cookie->flags.test_and_clear(FSCACHE_COOKIE_DO_INVALIDATE)) {
    fscache_end_cookie_access(k, cookie, "END   inval  ");
  }
}

// ACTIVE or FAILED: where an idle cookie goes next. Returns whether the state changed.
bool leave_active(Kernel& k, CookieHandle cookie) {
  if (cookie->state == FSCACHE_COOKIE_STATE_ACTIVE) {
    if (cookie->flags.test_and_clear(FSCACHE_COOKIE_DO_PREP_TO_WRITE)) {
      cookie->lock.unlock();
      cachefiles_prepare_to_write(k, cookie);
      cookie->lock.lock();
    }
    if (cookie->flags.test(FSCACHE_COOKIE_DO_LRU_DISCARD)) {
      if (cookie->n_accesses.read() != 0 && k.profile.has(Change::fscache_lru_n_accesses)) {
        return false;
      }
      cookie->state = FSCACHE_COOKIE_STATE_LRU_DISCARDING;
      return true;
    }
  }
  end_deferred_invalidation(k, cookie);
  if (cookie->n_accesses.read() != 0) return false;
  if (cookie->flags.test(FSCACHE_COOKIE_DO_RELINQUISH)) {
    cookie->state = FSCACHE_COOKIE_STATE_RELINQUISHING;
    return true;
  }
  if (cookie->flags.test(FSCACHE_COOKIE_DO_WITHDRAW)) {
    cookie->state = FSCACHE_COOKIE_STATE_WITHDRAWING;
    return true;
  }
  return false;
}

// The object leaves; the cookie ends DROPPED or goes back to QUIESCENT.
void withdraw_object(Kernel& k, CookieHandle cookie, fscache_cookie_state state) {
  if (cookie->cache_priv) {
    cookie->lock.unlock();
    cachefiles_withdraw_cookie(k, cookie);
    cookie->lock.lock();
  }
  end_deferred_invalidation(k, cookie);
  if (state == FSCACHE_COOKIE_STATE_RELINQUISHING) {
    see_cookie(k, cookie, "-   x-rlq");
    fscache_unhash_cookie(k, cookie);
    cookie->state = FSCACHE_COOKIE_STATE_DROPPED;
    return;
  }
  see_cookie(k, cookie, state == FSCACHE_COOKIE_STATE_LRU_DISCARDING ? "-   x-lru" : "-   x-wth");
  cookie->flags.clear(FSCACHE_COOKIE_NEEDS_UPDATE);
  cookie->flags.clear(FSCACHE_COOKIE_DO_WITHDRAW);
  cookie->flags.clear(FSCACHE_COOKIE_DO_LRU_DISCARD);
  cookie->flags.clear(FSCACHE_COOKIE_DO_PREP_TO_WRITE);
  cookie->flags.set(FSCACHE_COOKIE_NO_DATA_TO_READ);
  cookie->state = FSCACHE_COOKIE_STATE_QUIESCENT;
}

void state_machine(Kernel& k, CookieHandle cookie) {
  bool wake = false;
  cookie->lock.lock();
  for (bool again = true; again;) {
    const fscache_cookie_state state = cookie->state;
    switch (state) {
      case FSCACHE_COOKIE_STATE_QUIESCENT:
        again = cookie->n_accesses.read() == 0 && cookie->flags.test(FSCACHE_COOKIE_DO_RELINQUISH);
        if (again) cookie->state = FSCACHE_COOKIE_STATE_RELINQUISHING;
        wake |= again;
        break;
      case FSCACHE_COOKIE_STATE_LOOKING_UP:
        cookie->lock.unlock();
        trace_cookie_access(k, cookie, cookie->n_accesses.read(), "PIN   cache  ");
        cookie->flags.set(FSCACHE_COOKIE_NO_ACCESS_WAKE);
        perform_lookup(k, cookie);
        cookie->lock.lock();
        break;
      case FSCACHE_COOKIE_STATE_INVALIDATING:
        cookie->lock.unlock();
        perform_invalidation(k, cookie);
        cookie->lock.lock();
        break;
      case FSCACHE_COOKIE_STATE_ACTIVE:
      case FSCACHE_COOKIE_STATE_FAILED:
        again = leave_active(k, cookie);
        wake |= again;
        break;
      case FSCACHE_COOKIE_STATE_LRU_DISCARDING:
      case FSCACHE_COOKIE_STATE_RELINQUISHING:
      case FSCACHE_COOKIE_STATE_WITHDRAWING:
        withdraw_object(k, cookie, state);
        wake = true;
        again = state != FSCACHE_COOKIE_STATE_RELINQUISHING;
        break;
      default:
        warn_on(k, state != FSCACHE_COOKIE_STATE_DROPPED, "cookie in unexpected state");
        again = false;
        break;
    }
  }
  cookie->lock.unlock();
  if (wake) cookie->state_wait.wake_up_all();
}

}  // namespace

void fscache_cookie_worker(void* argument) {
  auto* raw = static_cast<fscache_cookie*>(argument);
  Kernel& k = *raw->kernel;
  const CookieHandle cookie = CookieHandle::of(*raw);
  see_cookie(k, cookie, "-   work ");
  state_machine(k, cookie);
  fscache_put_cookie(k, cookie, "PQ  work ");
}

void fscache_drop_withdraw_cookie(Kernel& k, CookieHandle cookie) {
  drop_from_lru(k, cookie);
  withdraw_when_idle(k, cookie);
}

void fscache_withdraw_cookie(Kernel& k, CookieHandle cookie) {
  cookie->flags.set(FSCACHE_COOKIE_DO_WITHDRAW);
  fscache_drop_withdraw_cookie(k, cookie);
}

void fscache_cookie_to_lru(Kernel& k, CookieHandle cookie) {
  fscache_state& fs = k.fscache;
  cookie->unused_at = k.scheduler.now();
  fs.lru_lock.lock();
  if (!cookie->on_lru) {
    fscache_get_cookie(k, cookie, "GET lru  ");
    cookie->commit_link = fs.lru.insert(fs.lru.end(), cookie);
    cookie->on_lru = true;
    fs.stats.n_cookies_lru++;
  } else {
    fs.lru.splice(fs.lru.end(), fs.lru, cookie->commit_link);
  }
  fs.lru_lock.unlock();
  lru_timer_reduce(k, cookie->unused_at + kLruTimeout);
}

void fscache_cookie_lru_timed_out(void* kernel) {
  Kernel& k = *static_cast<Kernel*>(kernel);
  if (k.fscache.unloaded) {
    k.scheduler.broken(ReportKind::use_after_free, "the LRU timer runs out in an unloaded module");
  }
  k.fscache_wq.queue(k.fscache.lru_work);
}

void fscache_cookie_lru_worker(void* kernel) {
  Kernel& k = *static_cast<Kernel*>(kernel);
  fscache_state& fs = k.fscache;
  fs.lru_lock.lock();
  while (!fs.lru.empty()) {
    const CookieHandle cookie = fs.lru.front();
    const TimeNs due = cookie->unused_at + kLruTimeout;
    if (k.scheduler.now() < due) {
      lru_timer_reduce(k, due);
      break;
    }
    fs.lru.pop_front();
    cookie->on_lru = false;
    fs.stats.n_cookies_lru--;
    fs.lru_lock.unlock();
    lru_do_one(k, cookie);
    fs.lru_lock.lock();
  }
  fs.lru_lock.unlock();
}

}  // namespace coldread
