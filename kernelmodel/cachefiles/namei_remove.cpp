// Removing things from the cache: unlinking files, burying directories, culling what nobody uses.
//
// Models the other half of fs/cachefiles/namei.c.
#include <algorithm>
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

bool leads_to(Kernel& k, InodeNumber dir, std::string_view name, InodeNumber inode) {
  InodeNumber found = 0;
  if (k.store.lookup(dir, name, &found) != 0) return false;
  k.store.put(found);
  return found == inode;
}

// rep->d_parent != dir: somebody else gave it another place. Being unlinked is no move.
bool was_moved(Kernel& k, InodeNumber dir, std::string_view name, InodeNumber inode) {
  FileAttributes attributes;
  k.store.getattr(inode, &attributes);
  return attributes.links != 0 && !leads_to(k, dir, name, inode);
}

bool is_ancestor(Kernel& k, InodeNumber ancestor, InodeNumber inode) {
  k.store.get(inode);
  while (inode != ancestor) {
    InodeNumber parent = 0;
    const bool above = k.store.path_lookup("..", inode, &parent) == 0;
    k.store.put(inode);
    if (!above) return false;
    if (parent == inode) {  // the root
      k.store.put(parent);
      return false;
    }
    inode = parent;
  }
  k.store.put(inode);
  return true;
}

// lock_rename(), unlock_rename(): both directories, in an order that ancestors come first in.
void lock_rename(Kernel& k, InodeNumber one, InodeNumber other) {
  if (one != other) {
    k.cachefiles.rename_mutex.lock();
    cachefiles_inode(k, std::min(one, other)).rwsem.lock_nested();
  }
  cachefiles_inode(k, std::max(one, other)).rwsem.lock_nested();
}

void unlock_rename(Kernel& k, InodeNumber one, InodeNumber other) {
  cachefiles_inode(k, one).rwsem.unlock();
  if (one == other) return;
  cachefiles_inode(k, other).rwsem.unlock();
  k.cachefiles.rename_mutex.unlock();
}

struct GraveName {
  char text[17];
};

// A name in the graveyard that nobody used yet, made up from the time and a counter.
GraveName next_grave(Kernel& k, CachefilesHandle cache) {
  GraveName grave;
  const auto seconds = static_cast<uint32_t>(k.realtime_seconds + k.scheduler.now() / kNsPerSecond);
  std::snprintf(grave.text, sizeof(grave.text), "%08x%08x", seconds, ++cache->gravecounter);
  return grave;
}

// With both directories locked: 0 (also if the rename failed, which kills the cache), -EEXIST (that
// name is taken), -ENOMEM or -EIO of the look-up in the graveyard.
int move_to_grave(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                  InodeNumber rep, std::string_view name, fscache_why_object_killed why) {
  const GraveName grave = next_grave(k, cache);
  InodeNumber taken = 0;
  int ret = k.store.lookup(cache->graveyard->number, grave.text, &taken);
  if (ret == 0) {
    k.store.put(taken);
    return -EEXIST;
  }
  if (ret != -ENOENT) {
    trace_cachefiles_vfs_error(k, object, cache->graveyard->number, ret, "lookup");
    if (ret == -ENOMEM) return ret;
    cachefiles_io_error(k, cache, "Lookup error");
    return -EIO;
  }
  trace_removal(k, "cachefiles_rename", object, rep, why);
  cachefiles_want_write(k, Change::namei_freeze_protection);
  ret = cachefiles_inject_read_error(k);
  if (ret == 0) ret = k.store.rename(dir, name, cache->graveyard->number, grave.text);
  if (ret != 0) {
    trace_cachefiles_vfs_error(k, object, dir, ret, "rename");
    if (ret != -ENOMEM) cachefiles_io_error(k, cache, "Rename failed");
  }
  cachefiles_unmark_inode_locked(k, object, rep);
  return 0;
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
  cachefiles_want_write(k, Change::namei_freeze_protection);
  int ret = cachefiles_inject_remove_error(k);
  if (ret == 0) {
    // What was unlinked or replaced behind our back is not there any more.
    ret = leads_to(k, dir, name, inode) ? k.store.unlink(dir, name) : -ENOENT;
    if (ret == -EIO) cachefiles_io_error(k, cache, "Unlink failed");
  }
  if (ret != 0) trace_cachefiles_vfs_error(k, object, dir, ret, "unlink");
  return ret;
}

int cachefiles_delete_object(Kernel& k, ObjectHandle object, fscache_why_object_killed why) {
  inode_state& fan = cachefiles_fan(k, object);
  fan.rwsem.lock_nested();
  const int ret = cachefiles_unlink(k, object->volume->cache, object, fan.number, object->file,
                                    object->name(), why);
  fan.rwsem.unlock();
  return ret;
}

int cachefiles_bury_object(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                           InodeNumber rep, std::string_view name, fscache_why_object_killed why) {
  Mutex& rwsem = cachefiles_inode(k, dir).rwsem;
  if (was_moved(k, dir, name, rep)) {
    rwsem.unlock();
    return -ESTALE;
  }
  FileAttributes attributes;
  k.store.getattr(rep, &attributes);
  if (attributes.type != FileType::directory) {
    const int ret = cachefiles_unlink(k, cache, object, dir, rep, name, why);
    rwsem.unlock();
    return ret;
  }
  rwsem.unlock();
  while (true) {
    lock_rename(k, cache->graveyard->number, dir);
    int ret = 0;
    if (!leads_to(k, dir, name, rep)) {
      // Somebody else was faster while nothing was locked.
    } else if (is_ancestor(k, rep, cache->graveyard->number)) {
      cachefiles_io_error(k, cache, "May not make directory loop");
      ret = -EIO;
    } else {
      ret = move_to_grave(k, cache, object, dir, rep, name, why);
    }
    unlock_rename(k, cache->graveyard->number, dir);
    if (ret != -EEXIST) return ret;
  }
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
  if (!k.profile.has(Change::cull_dentry_refcount)) k.store.put(victim);
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
