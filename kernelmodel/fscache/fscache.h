// fscache: the cache records, volumes and cookies between a netfs and a cache.
//
// Models include/linux/fscache{,-cache}.h and fs/fscache/ (fs/netfs/fscache_*.c since 6.8).
// Functions and states carry the kernel's names; functions of the netfs' API lose their leading
// underscores. Sections below are named after the kernel's source files.
//
// Threads: one scheduler thread. A function runs on a task and, unless it says "never sleeps", may
// block it: no spin lock may be held, and timers must not call it. Waits are uninterruptible.
//
// Lifetime: records lie in the pools of fscache_state. A Handle is no reference: it is good while
// somebody holds one (acquire/relinquish, get/put, an access begun and not ended). Using it later,
// or null, is a report that ends the run.
//
// Units: sizes and offsets are bytes; `where` and `why` are literals, the tracepoints' own texts.
// Memory never runs out.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>

#include "kernelmodel/kernel/atomic_count.h"
#include "kernelmodel/kernel/bit_flags.h"
#include "kernelmodel/kernel/pool.h"
#include "kernelmodel/kernel/ref_count.h"
#include "kernelmodel/kernel/rw_semaphore.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/wait_queue.h"
#include "kernelmodel/kernel/work_queue.h"
#include "kernelmodel/netfs/netfs.h"

namespace coldread {

struct Kernel;
struct cachefiles_cache;
struct cachefiles_object;
struct cachefiles_volume;

inline constexpr size_t kNameMax = 255;                        // bytes, as NAME_MAX
inline constexpr TimeNs kCollisionNotice = 20 * kNsPerSecond;  // a wait that long is logged
inline constexpr TimeNs kLruTimeout = 10 * kNsPerSecond;       // unused that long: discarded

enum fscache_cache_state : uint8_t {
  FSCACHE_CACHE_IS_NOT_PRESENT,
  FSCACHE_CACHE_IS_PREPARING,
  FSCACHE_CACHE_IS_ACTIVE,
  FSCACHE_CACHE_GOT_IOERROR,
  FSCACHE_CACHE_IS_WITHDRAWN,
};

// struct fscache_cache: a cache by name, present or not.
struct fscache_cache {
  fscache_cache(Scheduler& scheduler, std::string_view cache_name, uint32_t id);

  RefCount ref;
  AtomicCount n_volumes;
  AtomicCount n_accesses;  // +1 while active
  AtomicCount object_count;
  WaitQueue accesses_wait;  // n_accesses reached 0
  WaitQueue objects_wait;   // fscache_clearance_waiters
  fscache_cache_state state = FSCACHE_CACHE_IS_NOT_PRESENT;
  Handle<cachefiles_cache> cache_priv;
  uint32_t debug_id;
  bool named;
  std::pmr::string name;  // the tag; empty while nobody named it
};

enum : unsigned {  // fscache_volume::flags
  FSCACHE_VOLUME_RELINQUISHED,
  FSCACHE_VOLUME_INVALIDATE,
  FSCACHE_VOLUME_COLLIDED_WITH,
  FSCACHE_VOLUME_ACQUIRE_PENDING,
  FSCACHE_VOLUME_CREATING,
};

struct fscache_volume {
  explicit fscache_volume(Kernel& kernel);

  RefCount ref;
  AtomicCount n_cookies;
  AtomicCount n_accesses;  // +1 while the backend's volume exists
  WaitQueue accesses_wait;
  BitFlags flags;
  Work work;  // creates it on disk
  Kernel* kernel;
  Handle<fscache_cache> cache;
  Handle<cachefiles_volume> cache_priv;
  uint32_t key_hash = 0;
  uint32_t debug_id = 0;
  bool hashed = false;
  // Length byte, the key, NUL, padded with zeros to a multiple of 4.
  std::array<uint8_t, 1 + kNameMax + 4> key{};
  uint8_t coherency_len = 0;
  std::array<std::byte, 255> coherency{};

  std::string_view key_text() const {
    return {reinterpret_cast<const char*>(key.data()) + 1, key[0]};
  }
};

enum fscache_cookie_state : uint8_t {
  FSCACHE_COOKIE_STATE_QUIESCENT,
  FSCACHE_COOKIE_STATE_LOOKING_UP,
  FSCACHE_COOKIE_STATE_CREATING,
  FSCACHE_COOKIE_STATE_ACTIVE,
  FSCACHE_COOKIE_STATE_INVALIDATING,
  FSCACHE_COOKIE_STATE_FAILED,
  FSCACHE_COOKIE_STATE_LRU_DISCARDING,
  FSCACHE_COOKIE_STATE_WITHDRAWING,
  FSCACHE_COOKIE_STATE_RELINQUISHING,
  FSCACHE_COOKIE_STATE_DROPPED,
};

enum : unsigned {  // fscache_cookie::flags
  FSCACHE_COOKIE_RELINQUISHED,
  FSCACHE_COOKIE_RETIRED,
  FSCACHE_COOKIE_IS_CACHING,
  FSCACHE_COOKIE_NO_DATA_TO_READ,
  FSCACHE_COOKIE_NEEDS_UPDATE,
  FSCACHE_COOKIE_HAS_BEEN_CACHED,
  FSCACHE_COOKIE_DISABLED,
  FSCACHE_COOKIE_LOCAL_WRITE,
  FSCACHE_COOKIE_NO_ACCESS_WAKE,
  FSCACHE_COOKIE_DO_RELINQUISH,
  FSCACHE_COOKIE_DO_WITHDRAW,
  FSCACHE_COOKIE_DO_LRU_DISCARD,
  FSCACHE_COOKIE_DO_PREP_TO_WRITE,
  FSCACHE_COOKIE_HAVE_DATA,
  FSCACHE_COOKIE_IS_HASHED,
  FSCACHE_COOKIE_DO_INVALIDATE,
};

inline constexpr uint8_t FSCACHE_ADV_SINGLE_CHUNK = 0x01;
inline constexpr uint8_t FSCACHE_ADV_WRITE_CACHE = 0x00;
inline constexpr uint8_t FSCACHE_ADV_WANT_CACHE_SIZE = 0x04;

inline constexpr unsigned FSCACHE_INVAL_DIO_WRITE = 0x01;

enum fscache_want_state : uint8_t { FSCACHE_WANT_PARAMS, FSCACHE_WANT_READ, FSCACHE_WANT_WRITE };

struct fscache_cookie {
  explicit fscache_cookie(Kernel& kernel);

  RefCount ref;
  AtomicCount n_active;
  AtomicCount n_accesses;
  uint32_t debug_id = 0;
  uint32_t inval_counter = 0;
  SpinLock lock;
  Kernel* kernel;
  Handle<fscache_volume> volume;
  Handle<cachefiles_object> cache_priv;
  Work work;
  BitFlags flags;
  WaitQueue state_wait;  // wake_up_var(&cookie->state)
  fscache_cookie_state state = FSCACHE_COOKIE_STATE_QUIESCENT;
  TimeNs unused_at = 0;
  std::pmr::list<Handle<fscache_cookie>>::iterator proc_link;
  bool on_lru = false;
  std::pmr::list<Handle<fscache_cookie>>::iterator commit_link;
  int64_t object_size = 0;
  uint32_t key_hash = 0;
  uint8_t advice = 0;
  uint8_t key_len = 0;
  uint8_t aux_len = 0;
  std::array<std::byte, 256> key{};  // zero padded
  std::array<std::byte, 255> aux{};

  std::span<const std::byte> key_bytes() const { return {key.data(), key_len}; }
  bool enabled() { return !flags.test(FSCACHE_COOKIE_DISABLED); }  // fscache_cookie_enabled
};

using CacheHandle = Handle<fscache_cache>;
using VolumeHandle = Handle<fscache_volume>;
using CookieHandle = Handle<fscache_cookie>;

// The counters of /proc/fs/fscache/stats. Memory never runs out here, so what counts that stays 0.
struct fscache_statistics {
  uint64_t n_cookies = 0, n_volumes = 0, n_cookies_lru = 0;  // there are now
  uint64_t n_reads = 0, n_writes = 0, n_dio_misfit = 0, n_no_write_space = 0, n_no_create_space = 0,
           n_culled = 0, n_volumes_collision = 0, n_relinquishes = 0, n_relinquishes_retire = 0,
           n_relinquishes_dropped = 0, n_cookies_lru_expired = 0, n_cookies_lru_removed = 0,
           n_cookies_lru_dropped = 0, n_invalidates = 0, n_updates = 0, n_resizes = 0,
           n_resizes_null = 0, n_acquires = 0, n_acquires_ok = 0;
};

// The subsystem's globals.
struct fscache_state {
  explicit fscache_state(Kernel& kernel);

  Kernel& kernel;
  Pool<fscache_cache> cache_pool;
  Pool<fscache_volume> volume_pool;
  Pool<fscache_cookie> cookie_pool;

  RwSemaphore addremove_sem;  // the lists of caches and volumes
  std::pmr::list<CacheHandle> caches;
  std::pmr::list<VolumeHandle> volumes;
  SpinLock volume_hash_lock;
  std::pmr::multimap<uint32_t, VolumeHandle> volume_hash;  // newest first among equals
  SpinLock cookie_hash_lock;
  std::pmr::multimap<uint32_t, CookieHandle> cookie_hash;
  std::pmr::list<CookieHandle> cookies;  // fscache_cookies, oldest first
  SpinLock lru_lock;
  std::pmr::list<CookieHandle> lru;
  Timer lru_timer;
  Work lru_work;
  bool unloaded = false;
  AtomicCount cache_debug_id, volume_debug_id, cookie_debug_id;
  fscache_statistics stats;
};

// --- main.c ---
// rmmod: -EBUSY as long as a cache, a volume or a cookie is there. Nothing may be called any more.
int fscache_exit(Kernel& k);
// Hashes `data`, whose length must be a multiple of 4, as little-endian words. The same on every
// machine: it names directories on disk. Pure.
uint32_t fscache_hash(uint32_t salt, std::span<const uint8_t> data);

// --- cache.c ---
// The record of that name, or a new one, with a reference; never null. "": any. A cache
// (`is_cache`) may give its name to a nameless record.
CacheHandle fscache_lookup_cache(Kernel& k, std::string_view name, bool is_cache);
// The record for `name` in state PREPARING, with a reference; null: it is in use (-EBUSY).
CacheHandle fscache_acquire_cache(Kernel& k, std::string_view name);
void fscache_put_cache(Kernel& k, CacheHandle cache, const char* where);
// Gives back what fscache_acquire_cache() gave; the state is NOT_PRESENT again.
void fscache_relinquish_cache(Kernel& k, CacheHandle cache);
// Publishes the cache: ACTIVE. Always 0. The caller keeps `cache_priv` alive until it relinquishes.
int fscache_add_cache(Kernel& k, CacheHandle cache, Handle<cachefiles_cache> cache_priv);
// An access keeps the cache from being withdrawn. False: it is not ACTIVE, and there is nothing to
// end. These three, io_error and the two counters never sleep.
bool fscache_cache_is_live(CacheHandle cache);
bool fscache_begin_cache_access(Kernel& k, CacheHandle cache, const char* why);
void fscache_end_cache_access(Kernel& k, CacheHandle cache, const char* why);
void fscache_io_error(Kernel& k, CacheHandle cache);  // ACTIVE becomes GOT_IOERROR
// Ends service and waits until no access is left; then the objects' end is waited for.
void fscache_withdraw_cache(Kernel& k, CacheHandle cache);
void fscache_count_object(CacheHandle cache);
void fscache_uncount_object(CacheHandle cache);
void fscache_wait_for_objects(CacheHandle cache);

// --- volume.c ---
// The netfs' calls. Key and coherency have at most 255 bytes; cache_name "": any cache. Null with
// *error = -ENOMEM (longer key) or -EBUSY (acquired already). Waits for a relinquished volume of
// the same key to go; the directory is made later, by a worker.
VolumeHandle fscache_acquire_volume(Kernel& k, std::string_view key, std::string_view cache_name,
                                    std::span<const std::byte> coherency, int* error);
// Ends the netfs' reference. `coherency`: empty or as long as at acquisition. Twice: a warning.
void fscache_relinquish_volume(Kernel& k, VolumeHandle volume, std::span<const std::byte> coherency,
                               bool invalidate);
// References. The gets never sleep; try: null if the last one is gone. The last put frees.
VolumeHandle fscache_get_volume(Kernel& k, VolumeHandle volume, const char* where);
VolumeHandle fscache_try_get_volume(Kernel& k, VolumeHandle volume, const char* where);
void fscache_put_volume(Kernel& k, VolumeHandle volume, const char* where);
// An access keeps the backend's volume. False: the cache is not live. They never sleep; `cookie`
// is for the trace and may be null.
bool fscache_begin_volume_access(Kernel& k, VolumeHandle volume, CookieHandle cookie,
                                 const char* why);
void fscache_end_volume_access(Kernel& k, VolumeHandle volume, CookieHandle cookie,
                               const char* why);
// Has a worker make the volume on disk; with `wait`, until it did or failed: cache_priv tells.
void fscache_create_volume(Kernel& k, VolumeHandle volume, bool wait);
void fscache_create_volume_work(void* volume);  // the volume's Work
// Takes the cache's own access away and waits until no other is left.
void fscache_withdraw_volume(Kernel& k, VolumeHandle volume);

// --- cookie.c ---
// The netfs' calls. Null: a bad key (0 or more than 255 bytes), aux of more than 255 bytes, or a
// duplicate. Waits for a relinquished cookie of the same key to go. The cookie holds its volume.
CookieHandle fscache_acquire_cookie(Kernel& k, VolumeHandle volume, uint8_t advice,
                                    std::span<const std::byte> key, std::span<const std::byte> aux,
                                    int64_t object_size);
// The first use has a worker look the object up; waits while the cookie is being discarded.
void fscache_use_cookie(Kernel& k, CookieHandle cookie, bool will_modify);
// Each use needs one. `aux`: empty (unchanged) or as long as at acquisition; object_size: null
// leaves it. The last user leaves the cookie to the LRU list for kLruTimeout.
void fscache_unuse_cookie(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                          const int64_t* object_size);
// Ends the netfs' reference; a worker withdraws the object, `retire` deletes its file. A cookie
// still in use is a report that ends the run; relinquishing or using one afterwards is a warning.
void fscache_relinquish_cookie(Kernel& k, CookieHandle cookie, bool retire);
// Has the object's attribute written when it is withdrawn. Both as above.
void fscache_update_cookie(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                           const int64_t* object_size);
// Drops the data; reads that have begun answer -ESTALE. `aux` as above. With
// FSCACHE_INVAL_DIO_WRITE the cookie is also disabled until its last user leaves it.
void fscache_invalidate(Kernel& k, CookieHandle cookie, std::span<const std::byte> aux,
                        int64_t new_size, unsigned flags);
// The page cache let go of a page that was written to the cache: reads must look there from now on.
void fscache_note_page_release(CookieHandle cookie);
// References; get never sleeps, the last put frees the cookie.
CookieHandle fscache_get_cookie(Kernel& k, CookieHandle cookie, const char* where);
void fscache_put_cookie(Kernel& k, CookieHandle cookie, const char* where);
// The cache's; they never sleep. New state: CREATING (no file found), ACTIVE, FAILED.
void fscache_cookie_lookup_negative(Kernel& k, CookieHandle cookie);
void fscache_resume_after_invalidation(Kernel& k, CookieHandle cookie);
void fscache_caching_failed(Kernel& k, CookieHandle cookie);
void fscache_withdraw_cookie(Kernel& k, CookieHandle cookie);  // asks for it; does not wait
// An access keeps the object. False: not caching, or the cache is not live. The last end queues
// the state machine.
bool fscache_begin_cookie_access(Kernel& k, CookieHandle cookie, const char* why);
void fscache_end_cookie_access(Kernel& k, CookieHandle cookie, const char* why);
// The LRU list's timer ran out (on the scheduler's stack: never sleeps); and the list's worker.
void fscache_cookie_lru_timed_out(void* kernel);
void fscache_cookie_lru_worker(void* kernel);

// --- io.c ---
// 0, and fscache_end_operation() must follow; or -ENOBUFS: no cache, or a cookie that is disabled
// or cannot be used. Waits while the cookie is looked up, discarded or invalidated. `cres` is one
// operation's and the caller's; it pins cookie and file.
int fscache_begin_read_operation(Kernel& k, netfs_cache_resources& cres, CookieHandle cookie);
int fscache_begin_write_operation(Kernel& k, netfs_cache_resources& cres, CookieHandle cookie,
                                  fscache_want_state want = FSCACHE_WANT_PARAMS);
// For an operation that began with less: waits until `want` can be had. False: it never will.
bool fscache_wait_for_operation(Kernel& k, netfs_cache_resources& cres, fscache_want_state want);
void fscache_end_operation(Kernel& k, netfs_cache_resources& cres);
// Saves [start, start + length) of a page cache, of which `pages` are the whole pages around it:
// the bytes written, -ENOBUFS (no operation can begin, or nothing to write) or what
// cachefiles_prepare_write() and cachefiles_write() answer.
ssize_t fscache_write_to_cache(Kernel& k, CookieHandle cookie, int64_t start, uint64_t length,
                               std::span<const std::byte> pages);
// Does nothing if no operation can begin. A failure to shorten the file kills the cache.
void fscache_resize_cookie(Kernel& k, CookieHandle cookie, int64_t new_size);

}  // namespace coldread
