// Objects: a cookie's data in this cache, from lookup to withdrawal.
//
// Models fs/cachefiles/interface.c, cachefiles' side of struct fscache_cache_ops.
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

void trace_ref(Kernel& k, uint32_t object, uint32_t cookie, int count, const char* why) {
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_ref", "c=%08x o=%08x u=%d %s", cookie, object, count, why);
  }
}

ObjectHandle alloc_object(Kernel& k, CookieHandle cookie) {
  const VolumeHandle vcookie = cookie->volume;
  const ObjectHandle object = k.cachefiles.object_pool.create(k);
  object->volume = vcookie->cache_priv;
  cachefiles_ondemand_init_obj_info(k, object, object->volume);
  object->debug_id = static_cast<uint32_t>(k.cachefiles.object_debug_id.inc_return());
  object->cookie = fscache_get_cookie(k, cookie, "GET attch");
  fscache_count_object(vcookie->cache);
  trace_ref(k, object->debug_id, cookie->debug_id, 1, "NEW obj");
  return object;
}

// Brings the file's length to the object's size rounded up to the unit of direct I/O. Only -EIO
// matters to anybody: it kills the cache.
void adjust_size(Kernel& k, ObjectHandle object) {
  const uint64_t wanted =
      round_up(static_cast<uint64_t>(object->cookie->object_size), CACHEFILES_DIO_BLOCK_SIZE);
  const InodeNumber file = object->file;
  FileAttributes attributes;
  if (file == 0 || k.store.getattr(file, &attributes) != 0 || attributes.size == wanted) return;

  Mutex& rwsem = cachefiles_inode(k, file).rwsem;
  rwsem.lock();
  int ret = 0;
  // A partial page at the old end would show its padding as data.
  if (attributes.size % kPageSize != 0 && wanted > attributes.size) {
    ret = cachefiles_inject_remove_error(k);
    if (ret == 0) ret = k.store.truncate(file, round_down(attributes.size, kPageSize));
  }
  if (ret == 0) ret = cachefiles_inject_write_error(k);
  if (ret == 0) ret = k.store.truncate(file, wanted);
  rwsem.unlock();
  if (ret < 0) trace_cachefiles_io_error(k, {}, file, ret, "notify_change");
  if (ret == -EIO) cachefiles_io_error(k, object->volume->cache, "Size set failed");
}

// Cuts the file to `new_size`, zeroing what is left of the last block. Failure kills the cache.
bool shorten_object(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t new_size) {
  const CachefilesHandle cache = object->volume->cache;
  const uint64_t dio_size = round_up(new_size, CACHEFILES_DIO_BLOCK_SIZE);
  FileAttributes attributes;
  k.store.getattr(file, &attributes);
  trace_cachefiles_trunc(k, object, file, attributes.size, dio_size, "SHRINK");
  int ret = cachefiles_inject_remove_error(k);
  if (ret == 0) ret = k.store.truncate(file, dio_size);
  if (ret < 0) {
    trace_cachefiles_io_error(k, object, file, ret, "trunc");
    cachefiles_io_error(k, cache, "Trunc-to-size failed");
    cachefiles_remove_object_xattr(k, cache, object, file);
    return false;
  }
  if (new_size == dio_size) return true;
  trace_cachefiles_trunc(k, object, file, dio_size, new_size, "DIOADJ");
  ret = cachefiles_inject_write_error(k);
  if (ret == 0) ret = k.store.zero_range(file, new_size, dio_size - new_size);
  if (ret < 0) {
    trace_cachefiles_io_error(k, object, file, ret, "fallocate");
    cachefiles_io_error(k, cache, "Trunc-to-dio-size failed");
    cachefiles_remove_object_xattr(k, cache, object, file);
    return false;
  }
  return true;
}

void commit_object(Kernel& k, ObjectHandle object, CachefilesHandle cache) {
  const CookieHandle cookie = object->cookie;
  bool update = cookie->flags.test_and_clear(FSCACHE_COOKIE_LOCAL_WRITE);
  if (cookie->flags.test_and_clear(FSCACHE_COOKIE_NEEDS_UPDATE)) update = true;
  if (update) cachefiles_set_object_xattr(k, object);
  if (object->flags.test(CACHEFILES_OBJECT_USING_TMPFILE)) {
    cachefiles_commit_tmpfile(k, cache, object);
  }
}

// Saves or drops the object's file and lets go of it.
void clean_up_object(Kernel& k, ObjectHandle object, CachefilesHandle cache) {
  if (!object->cookie->flags.test(FSCACHE_COOKIE_RETIRED)) {
    cachefiles_see_object(k, object, "SEE clean_commit");
    commit_object(k, object, cache);
  } else if (!object->flags.test(CACHEFILES_OBJECT_USING_TMPFILE)) {
    cachefiles_see_object(k, object, "SEE clean_delete");
    cachefiles_delete_object(k, object, FSCACHE_OBJECT_WAS_RETIRED);
  } else {
    cachefiles_see_object(k, object, "SEE clean_drop_tmp");
  }
  cachefiles_unmark_inode_in_use(k, object, object->file);

  object->lock.lock();
  const InodeNumber file = object->file;
  object->file = 0;
  object->lock.unlock();
  if (file != 0) k.store.put(file);
}

}  // namespace

void cachefiles_see_object(Kernel& k, ObjectHandle object, const char* why) {
  if (!k.trace.enabled()) return;
  trace_ref(k, object->debug_id, object->cookie->debug_id, object->ref.peek(), why);
}

ObjectHandle cachefiles_grab_object(Kernel& k, ObjectHandle object, const char* why) {
  int before = 0;
  object->ref.get(&before);
  if (k.trace.enabled()) trace_ref(k, object->debug_id, object->cookie->debug_id, before, why);
  return object;
}

void cachefiles_put_object(Kernel& k, ObjectHandle object, const char* why) {
  const uint32_t debug_id = object->debug_id;
  const uint32_t cookie_debug_id = object->cookie->debug_id;
  int before = 0;
  const bool done = object->ref.put(&before);
  trace_ref(k, debug_id, cookie_debug_id, before, why);
  if (!done) return;
  warn_on(k, object->file != 0, "object freed with its file");
  cachefiles_ondemand_deinit_obj_info(k, object);
  const CacheHandle cache = object->volume->cache->cache;
  fscache_put_cookie(k, object->cookie, "PUT obj  ");
  k.cachefiles.object_pool.destroy(object);
  fscache_uncount_object(cache);
}

bool cachefiles_lookup_cookie(Kernel& k, CookieHandle cookie) {
  const CachefilesHandle cache = cookie->volume->cache->cache_priv;
  const ObjectHandle object = alloc_object(k, cookie);
  cachefiles_cook_key(object);
  cookie->cache_priv = object;
  if (!cachefiles_look_up_object(k, object)) {
    cachefiles_see_object(k, object, "SEE lookup_failed");
    fscache_caching_failed(k, cookie);
    // Withdrawn later, by the state machine, once this lookup's access has ended.
    return false;
  }
  cachefiles_see_object(k, object, "SEE lookup_cookie");
  cache->object_list_lock.lock();
  object->cache_link = cache->object_list.insert(cache->object_list.begin(), object);
  object->listed = true;
  cache->object_list_lock.unlock();
  adjust_size(k, object);
  return true;
}

void cachefiles_withdraw_cookie(Kernel& k, CookieHandle cookie) {
  const ObjectHandle object = cookie->cache_priv;
  const CachefilesHandle cache = object->volume->cache;
  cachefiles_see_object(k, object, "SEE withdraw_cookie");
  // Whether it is listed is asked without the lock: the withdrawal of the cache may just have taken
  // it off the list, hold the lock and go on to use object and cookie
  // (uaf-withdraw-unlisted-object).
  if (object->listed || k.profile.has(Change::withdraw_cookie_locks)) {
    cache->object_list_lock.lock();
    cachefiles_see_object(k, object, "SEE withdrawal");
    if (object->listed) cache->object_list.erase(object->cache_link);
    object->listed = false;
    cache->object_list_lock.unlock();
  }
  cachefiles_ondemand_clean_object(k, object);
  if (object->file != 0) clean_up_object(k, object, cache);
  cookie->cache_priv = {};
  cachefiles_put_object(k, object, "PUT detach");
}

bool cachefiles_invalidate_cookie(Kernel& k, CookieHandle cookie) {
  const ObjectHandle object = cookie->cache_priv;
  const bool old_tmpfile = object->flags.test(CACHEFILES_OBJECT_USING_TMPFILE);
  if (object->file == 0) {
    fscache_resume_after_invalidation(k, cookie);
    return true;
  }
  InodeNumber new_file = 0;
  if (cachefiles_create_tmpfile(k, object, &new_file) < 0) return false;

  object->lock.lock();
  const InodeNumber old_file = object->file;
  object->file = new_file;
  object->file_pos = 0;
  object->content_info = CACHEFILES_CONTENT_NO_DATA;
  object->flags.set(CACHEFILES_OBJECT_USING_TMPFILE);
  cookie->flags.set(FSCACHE_COOKIE_NEEDS_UPDATE);
  object->lock.unlock();
  fscache_resume_after_invalidation(k, cookie);

  if (old_file == 0) return true;
  if (!old_tmpfile) {
    inode_state& fan = cachefiles_fan(k, object);
    fan.rwsem.lock_nested();
    cachefiles_bury_object(k, object->volume->cache, object, fan.number, old_file, object->name(),
                           FSCACHE_OBJECT_INVALIDATED);
  }
  k.store.put(old_file);
  return true;
}

void cachefiles_resize_cookie(Kernel& k, netfs_cache_resources& cres, int64_t new_size) {
  const ObjectHandle object = cachefiles_cres_object(cres);
  const CookieHandle cookie = object->cookie;
  if (new_size < cookie->object_size) {
    shorten_object(k, object, cres.file, static_cast<uint64_t>(new_size));
  }
  cookie->object_size = new_size;
}

}  // namespace coldread
