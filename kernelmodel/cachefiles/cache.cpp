// The cache as a whole: bringing it into service, watching its space, taking it out again.
//
// Models fs/cachefiles/cache.c.
#include <bit>
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"

namespace coldread {

void cachefiles_state_changed(CachefilesHandle cache) {
  cache->flags.set(CACHEFILES_STATE_CHANGED);
  cache->daemon_pollwq.wake_up_all();
}

void cachefiles_io_error(Kernel& k, CachefilesHandle cache, const char* text) {
  pr_err(k, "I/O Error: %s", text);
  fscache_io_error(k, cache->cache);
  cache->flags.set(CACHEFILES_DEAD);
  if (cachefiles_in_ondemand_mode(cache) && k.profile.has(Change::flush_after_dead)) {
    cachefiles_flush_reqs(k, cache);
  }
}

namespace {

void set_limits(CachefilesHandle cache, const FilesystemStatistics& stats) {
  cache->bsize = stats.block_size;
  cache->bshift = static_cast<unsigned>(std::countr_zero(stats.block_size));
  const uint64_t files = stats.files / 100;
  cache->fstop = files * cache->fstop_percent;
  cache->fcull = files * cache->fcull_percent;
  cache->frun = files * cache->frun_percent;
  const uint64_t blocks = stats.blocks / 100;
  cache->bstop = blocks * cache->bstop_percent;
  cache->bcull = blocks * cache->bcull_percent;
  cache->brun = blocks * cache->brun_percent;
}

// Everything between finding the directory and publishing the cache.
int prepare_cache(Kernel& k, CachefilesHandle cache) {
  if (!k.store.can_hold_cache(cache->mnt)) return -EOPNOTSUPP;
  if (k.store.read_only()) return -EROFS;
  FilesystemStatistics stats;
  int ret = k.store.statfs(&stats);
  if (ret < 0) return ret;
  if (stats.block_size == 0) return -ERANGE;
  if (stats.block_size > kPageSize) return -EOPNOTSUPP;
  set_limits(cache, stats);
  ret = cachefiles_get_directory(k, cache, cache->mnt, "cache", nullptr, &cache->store);
  if (ret < 0) return ret;
  return cachefiles_get_directory(k, cache, cache->mnt, "graveyard", nullptr, &cache->graveyard);
}

void withdraw_objects(Kernel& k, CachefilesHandle cache) {
  cache->object_list_lock.lock();
  while (!cache->object_list.empty()) {
    const ObjectHandle object = cache->object_list.front();
    cachefiles_see_object(k, object, "SEE withdrawal");
    cache->object_list.pop_front();
    object->listed = false;
    fscache_withdraw_cookie(k, object->cookie);
  }
  cache->object_list_lock.unlock();
}

// The volume with a reference, null if it is on its way out. Before uaf_withdraw_fscache_volume
// withdrawal took none.
VolumeHandle hold_volume(Kernel& k, Handle<cachefiles_volume> volume) {
  if (!k.profile.has(Change::uaf_withdraw_fscache_volume)) return volume->vcookie;
  return fscache_try_get_volume(k, volume->vcookie, "GET withd");
}

void let_go_of_volume(Kernel& k, VolumeHandle vcookie) {
  if (!k.profile.has(Change::uaf_withdraw_fscache_volume)) return;
  fscache_put_volume(k, vcookie, "PUT withd");
}

// Waits until nobody uses any volume of the cache. Who begins an access meanwhile, and ends it as
// the cache is not live any more, makes a volume look as if it were not withdrawn yet: then it is
// again, its count falls below 0 and this never ends (hang-withdraw-volume-twice).
void withdraw_fscache_volumes(Kernel& k, CachefilesHandle cache) {
  while (true) {
    VolumeHandle vcookie;
    cache->object_list_lock.lock();
    for (const Handle<cachefiles_volume> volume : cache->volumes) {
      if (volume->withdrawn || volume->vcookie->n_accesses.read() == 0) continue;
      vcookie = hold_volume(k, volume);
      volume->withdrawn = vcookie && k.profile.has(Change::withdraw_volume_once);
      if (vcookie) break;
    }
    cache->object_list_lock.unlock();
    if (!vcookie) return;
    fscache_withdraw_volume(k, vcookie);
    let_go_of_volume(k, vcookie);
  }
}

void withdraw_volumes(Kernel& k, CachefilesHandle cache) {
  while (true) {
    cache->object_list_lock.lock();
    if (cache->volumes.empty()) {
      cache->object_list_lock.unlock();
      return;
    }
    const Handle<cachefiles_volume> volume = cache->volumes.front();
    const VolumeHandle vcookie = hold_volume(k, volume);
    if (vcookie) {
      cache->volumes.pop_front();
      volume->listed = false;
    }
    cache->object_list_lock.unlock();
    if (!vcookie) {
      cpu_relax(k);  // somebody is freeing it
      continue;
    }
    if (!k.profile.has(Change::uaf_withdraw_cookie)) fscache_withdraw_volume(k, vcookie);
    cachefiles_withdraw_volume(k, volume);
    let_go_of_volume(k, vcookie);
  }
}

}  // namespace

// Without CONFIG_SECURITY no context can be translated.
int cachefiles_get_security_ID(Kernel& k, CachefilesHandle cache) {
  cache->cache_cred = k.cachefiles.cred_pool.create();
  if (cache->secctx.empty() || k.security) return 0;
  pr_err(k, "Security denies permission to nominate security context: error %d", -EOPNOTSUPP);
  return -EOPNOTSUPP;
}

void cachefiles_put_cred(Kernel& k, CachefilesHandle cache) {
  if (cache->cache_cred) k.cachefiles.cred_pool.destroy(cache->cache_cred);
  cache->cache_cred = {};
}

int cachefiles_add_cache(Kernel& k, CachefilesHandle cache) {
  const CacheHandle cache_cookie = fscache_acquire_cache(k, cache->tag);
  if (!cache_cookie) return -EBUSY;
  int ret = cachefiles_get_security_ID(k, cache);
  if (ret == 0)
    ret = k.store.path_lookup(cache->rootdirname, k.scheduler.current()->cwd, &cache->mnt);
  if (ret == 0) {
    ret = prepare_cache(k, cache);
    if (ret < 0) {
      cachefiles_put_directory(k, cache->store);
      cache->store = nullptr;
      k.store.put(cache->mnt);
      cache->mnt = 0;
    }
  }
  if (ret < 0) {
    fscache_relinquish_cache(k, cache_cookie);
    cache->cache = {};
    if (k.profile.has(Change::add_cache_memleak)) cachefiles_put_cred(k, cache);
    pr_err(k, "Failed to register: %d", ret);
    return ret;
  }
  cache->cache = cache_cookie;
  fscache_add_cache(k, cache_cookie, cache);
  cache->flags.set(CACHEFILES_READY);
  cachefiles_has_space(k, cache, 0, 0, cachefiles_has_space_check);
  return 0;
}

int cachefiles_has_space(Kernel& k, CachefilesHandle cache, uint64_t files, uint64_t blocks,
                         cachefiles_has_space_for reason) {
  FilesystemStatistics stats;
  const int error = k.store.statfs(&stats);
  if (error < 0) {
    trace_cachefiles_vfs_error(k, {}, cache->mnt, error, "statfs");
    if (error == -EIO) cachefiles_io_error(k, cache, "statfs failed");
    return error;
  }
  const auto less = [](uint64_t from, uint64_t amount) {
    return from > amount ? from - amount : 0;
  };
  const uint64_t free_files = less(stats.files_free, files);
  const uint64_t free_blocks = less(less(stats.blocks_available, cache->b_writing), blocks);

  const bool stop = free_files < cache->fstop || free_blocks < cache->bstop;
  if (stop || free_files < cache->fcull || free_blocks < cache->bcull) {
    if (stop && reason == cachefiles_has_space_for_write) k.fscache.stats.n_no_write_space++;
    if (stop && reason == cachefiles_has_space_for_create) k.fscache.stats.n_no_create_space++;
    if (!cache->flags.test_and_set(CACHEFILES_CULLING)) cachefiles_state_changed(cache);
    return stop ? -ENOBUFS : 0;
  }
  if (cache->flags.test(CACHEFILES_CULLING) && free_files >= cache->frun &&
      free_blocks >= cache->brun && cache->flags.test_and_clear(CACHEFILES_CULLING)) {
    cachefiles_state_changed(cache);
  }
  return 0;
}

void cachefiles_withdraw_cache(Kernel& k, CachefilesHandle cache) {
  const CacheHandle fscache = cache->cache;
  fscache_withdraw_cache(k, fscache);
  // A lookup that began before may still make an object.
  if (k.profile.has(Change::uaf_withdraw_cookie)) withdraw_fscache_volumes(k, cache);
  withdraw_objects(k, cache);
  fscache_wait_for_objects(fscache);
  withdraw_volumes(k, cache);
  if (k.store.sync() == -EIO) cachefiles_io_error(k, cache, "sync of the backing fs failed");
  cache->cache = {};
  fscache_relinquish_cache(k, fscache);
}

}  // namespace coldread
