// The directory of a volume and its 256 fan-out directories.
//
// Models fs/cachefiles/volume.c.
#include <cerrno>
#include <cstring>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

// Finds or makes the volume's directory; one whose xattr does not fit is buried and made anew.
int get_volume_directory(Kernel& k, CachefilesHandle cache, Handle<cachefiles_volume> volume,
                         std::string_view name) {
  while (true) {
    bool is_new = false;
    const int ret =
        cachefiles_get_directory(k, cache, cache->store->number, name, &is_new, &volume->dentry);
    if (ret < 0) return ret;
    const int check = is_new ? (cachefiles_set_volume_xattr(k, volume) ? 0 : -EIO)
                             : cachefiles_check_volume_xattr(k, volume);
    if (check == 0) return 0;
    if (check == -ESTALE) {
      cache->store->rwsem.lock_nested();
      cachefiles_bury_object(k, cache, {}, cache->store->number, volume->dentry->number, name,
                             FSCACHE_VOLUME_IS_WEIRD);
    }
    cachefiles_put_directory(k, volume->dentry);
    volume->dentry = nullptr;
    if (check != -ESTALE) return check;
  }
}

// "@00" to "@ff".
int get_fanout(Kernel& k, CachefilesHandle cache, Handle<cachefiles_volume> volume) {
  constexpr char kHexDigits[] = "0123456789abcdef";
  for (unsigned i = 0; i < volume->fanout.size(); i++) {
    const char name[] = {'@', kHexDigits[i >> 4 & 0xf], kHexDigits[i & 0xf]};
    const int ret = cachefiles_get_directory(k, cache, volume->dentry->number, {name, sizeof(name)},
                                             nullptr, &volume->fanout[i]);
    if (ret < 0) return ret;
  }
  return 0;
}

void put_directories(Kernel& k, Handle<cachefiles_volume> volume) {
  for (inode_state*& fan : volume->fanout) {
    cachefiles_put_directory(k, fan);
    fan = nullptr;
  }
  cachefiles_put_directory(k, volume->dentry);
}

void free_volume(Kernel& k, Handle<cachefiles_volume> volume) {
  volume->vcookie->cache_priv = {};
  put_directories(k, volume);
  k.cachefiles.volume_pool.destroy(volume);
}

}  // namespace

void cachefiles_acquire_volume(Kernel& k, VolumeHandle vcookie) {
  const CachefilesHandle cache = vcookie->cache->cache_priv;
  const Handle<cachefiles_volume> volume = k.cachefiles.volume_pool.create();
  volume->vcookie = vcookie;
  volume->cache = cache;

  std::array<char, 1 + kNameMax> name;
  name[0] = 'I';
  std::memcpy(name.data() + 1, vcookie->key.data() + 1, vcookie->key[0]);
  if (get_volume_directory(k, cache, volume, {name.data(), 1u + vcookie->key[0]}) < 0) {
    k.cachefiles.volume_pool.destroy(volume);
    return;
  }
  if (get_fanout(k, cache, volume) < 0) {
    put_directories(k, volume);
    k.cachefiles.volume_pool.destroy(volume);
    return;
  }
  vcookie->cache_priv = volume;
  const int n_accesses = vcookie->n_accesses.inc_return();
  if (k.trace.enabled()) {
    trace_emit(k, "fscache_access_volume", "V=%08x c=%08x %s r=%d a=%d", vcookie->debug_id, 0u,
               "PIN   cache  ", vcookie->ref.peek(), n_accesses);
  }
  cache->object_list_lock.lock();
  volume->cache_link = cache->volumes.insert(cache->volumes.begin(), volume);
  volume->listed = true;
  cache->object_list_lock.unlock();
}

void cachefiles_free_volume(Kernel& k, VolumeHandle vcookie) {
  const Handle<cachefiles_volume> volume = vcookie->cache_priv;
  if (!volume) return;
  const CachefilesHandle cache = volume->cache;
  cache->object_list_lock.lock();
  if (volume->listed) cache->volumes.erase(volume->cache_link);
  volume->listed = false;
  cache->object_list_lock.unlock();
  free_volume(k, volume);
}

void cachefiles_withdraw_volume(Kernel& k, Handle<cachefiles_volume> volume) {
  cachefiles_set_volume_xattr(k, volume);
  free_volume(k, volume);
}

}  // namespace coldread
