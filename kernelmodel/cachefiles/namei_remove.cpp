// Removing things from the cache: unlinking files, burying directories, culling what nobody uses.
//
// Models the other half of fs/cachefiles/namei.c.
#include <array>
#include <cerrno>
#include <cstdio>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

const char* kill_reason(fscache_why_object_killed why) {
  static constexpr std::array kNames = {"stale",       "weird",      "inval",       "no_space",
                                        "was_retired", "was_culled", "volume_weird"};
  return kNames[why];
}

void trace_removal(Kernel& k, const char* event, ObjectHandle object, InodeNumber inode,
                   fscache_why_object_killed why) {
  if (!k.trace.enabled()) return;
  trace_emit(k, event, "o=%08x B=%x w=%s", object ? object->debug_id : 0xffffffffu,
             static_cast<unsigned>(inode), kill_reason(why));
}

// Moves a directory to the graveyard under a name that nobody used yet; 0 or -errno of the rename.
int rename_to_grave(Kernel& k, CachefilesHandle cache, InodeNumber dir, std::string_view name) {
  const auto seconds = static_cast<uint32_t>(k.realtime_seconds + k.scheduler.now() / kNsPerSecond);
  while (true) {
    char grave[17];
    std::snprintf(grave, sizeof(grave), "%08x%08x", seconds, ++cache->gravecounter);
    InodeNumber taken = 0;
    const int error = k.store.lookup(cache->graveyard, grave, &taken);
    if (error == 0) {
      k.store.put(taken);
      continue;
    }
    if (error != -ENOENT) return error;
    return k.store.rename(dir, name, cache->graveyard, grave);
  }
}

// The unmarked inode of that name in the locked directory, with a reference.
int lookup_for_cull(Kernel& k, CachefilesHandle cache, InodeNumber dir, std::string_view name,
                    InodeNumber* victim) {
  FileAttributes directory;
  k.store.getattr(dir, &directory);
  if (directory.links == 0) return -ESTALE;  // removed under the caller's feet
  int ret = name.empty() ? -EACCES : k.store.lookup(dir, name, victim);
  if (ret == 0) {
    if (!cachefiles_inode(k, *victim).kernel_file) return 0;
    k.store.put(*victim);
    return -EBUSY;
  }
  if (ret == -ENOENT || ret == -ENOMEM) return ret;
  if (ret == -EIO) {
    cachefiles_io_error(k, cache, "Lookup failed");
  } else {
    pr_err(k, "Internal error: %d", ret);
  }
  return -EIO;
}

}  // namespace

int cachefiles_unlink(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                      InodeNumber inode, std::string_view name, fscache_why_object_killed why) {
  trace_removal(k, "cachefiles_unlink", object, inode, why);
  const int ret = k.store.unlink(dir, name);
  if (ret == -EIO) cachefiles_io_error(k, cache, "Unlink failed");
  if (ret != 0) trace_cachefiles_vfs_error(k, object, dir, ret, "unlink");
  return ret;
}

int cachefiles_delete_object(Kernel& k, ObjectHandle object, fscache_why_object_killed why) {
  const InodeNumber fan = object->volume->fanout[object->cookie->key_hash & 0xff];
  Mutex& rwsem = cachefiles_inode(k, fan).rwsem;
  rwsem.lock_nested();
  const int ret =
      cachefiles_unlink(k, object->volume->cache, object, fan, object->file, object->name(), why);
  rwsem.unlock();
  return ret;
}

int cachefiles_bury_object(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                           InodeNumber rep, std::string_view name, fscache_why_object_killed why) {
  FileAttributes attributes;
  k.store.getattr(rep, &attributes);
  Mutex& rwsem = cachefiles_inode(k, dir).rwsem;
  InodeNumber now = 0;
  const bool still_there = k.store.lookup(dir, name, &now) == 0 && now == rep;
  if (now != 0) k.store.put(now);
  if (!still_there) {
    rwsem.unlock();
    return -ESTALE;
  }
  if (attributes.type != FileType::directory) {
    const int ret = cachefiles_unlink(k, cache, object, dir, rep, name, why);
    rwsem.unlock();
    return ret;
  }
  trace_removal(k, "cachefiles_rename", object, rep, why);
  const int ret = rename_to_grave(k, cache, dir, name);
  if (ret != 0) {
    trace_cachefiles_vfs_error(k, object, dir, ret, "rename");
    if (ret != -ENOMEM) cachefiles_io_error(k, cache, "Rename failed");
  }
  cachefiles_unmark_inode_locked(k, object, rep);
  rwsem.unlock();
  return 0;
}

int cachefiles_cull(Kernel& k, CachefilesHandle cache, InodeNumber dir, std::string_view name) {
  Mutex& rwsem = cachefiles_inode(k, dir).rwsem;
  rwsem.lock_nested();
  InodeNumber victim = 0;
  int ret = lookup_for_cull(k, cache, dir, name, &victim);
  if (ret < 0) {
    rwsem.unlock();
    return ret;
  }
  // From here on no lookup may take it into use.
  Mutex& child = cachefiles_inode(k, victim).rwsem;
  child.lock();
  const bool taken = std::exchange(cachefiles_inode(k, victim).kernel_file, true);
  child.unlock();
  if (taken) {
    rwsem.unlock();
    k.store.put(victim);
    pr_err(k, "Internal error: %d", -EBUSY);
    return -EIO;
  }
  ret = cachefiles_bury_object(k, cache, {}, dir, victim, name, FSCACHE_OBJECT_WAS_CULLED);
  k.store.put(victim);
  if (ret == 0) {
    k.fscache.stats.n_culled++;
    return 0;
  }
  if (ret == -ENOENT) return -ESTALE;
  if (ret == -ENOMEM) return ret;
  pr_err(k, "Internal error: %d", ret);
  return -EIO;
}

int cachefiles_check_in_use(Kernel& k, CachefilesHandle cache, InodeNumber dir,
                            std::string_view name) {
  Mutex& rwsem = cachefiles_inode(k, dir).rwsem;
  rwsem.lock_nested();
  InodeNumber victim = 0;
  const int ret = lookup_for_cull(k, cache, dir, name, &victim);
  rwsem.unlock();
  if (ret == 0) k.store.put(victim);
  return ret;
}

}  // namespace coldread
