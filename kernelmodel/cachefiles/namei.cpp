// Directories and files of the cache: finding, making and marking them, and giving a finished file
// its name.
//
// Models fs/cachefiles/namei.c; removing things is in namei_remove.cpp.
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {

namespace {

constexpr const char* kNoOperations = "Cache does not support read_iter and write_iter";

}  // namespace

inode_state& cachefiles_inode(Kernel& k, InodeNumber inode) {
  return k.cachefiles.inodes.try_emplace(inode, k.scheduler, inode).first->second;
}

inode_state& cachefiles_fan(Kernel& k, ObjectHandle object) {
  inode_state* fan = object->volume->fanout[object->cookie->key_hash & 0xff];
  return fan != nullptr ? *fan : cachefiles_inode(k, 0);
}

namespace {

bool mark_locked(Kernel& k, ObjectHandle object, inode_state& state) {
  const bool can_use = !std::exchange(state.kernel_file, true);
  if (k.trace.enabled()) {
    trace_emit(k, can_use ? "cachefiles_mark_active" : "cachefiles_mark_failed", "o=%08x B=%lx",
               object ? object->debug_id : 0, static_cast<unsigned long>(state.number));
  }
  return can_use;
}

void unmark_locked(Kernel& k, ObjectHandle object, inode_state& state) {
  state.kernel_file = false;
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_mark_inactive", "o=%08x B=%lx", object ? object->debug_id : 0,
               static_cast<unsigned long>(state.number));
  }
}

}  // namespace

void cachefiles_unmark_inode_locked(Kernel& k, ObjectHandle object, InodeNumber inode) {
  unmark_locked(k, object, cachefiles_inode(k, inode));
}

namespace {

bool mark_inode_in_use(Kernel& k, ObjectHandle object, InodeNumber inode) {
  inode_state& state = cachefiles_inode(k, inode);
  state.rwsem.lock();
  const bool can_use = mark_locked(k, object, state);
  state.rwsem.unlock();
  return can_use;
}

void do_unmark_inode_in_use(Kernel& k, ObjectHandle object, inode_state& state) {
  state.rwsem.lock();
  unmark_locked(k, object, state);
  state.rwsem.unlock();
}

void trace_lookup(Kernel& k, ObjectHandle object, InodeNumber dir, InodeNumber found, int error) {
  if (!k.trace.enabled()) return;
  trace_emit(k, "cachefiles_lookup", "o=%08x dB=%lx B=%lx e=%d", object ? object->debug_id : 0,
             static_cast<unsigned long>(dir), static_cast<unsigned long>(found), error);
}

// Looks `name` up in the locked directory, or makes it if there is none and room for it.
int lookup_or_mkdir(Kernel& k, CachefilesHandle cache, InodeNumber dir, std::string_view name,
                    bool* is_new, InodeNumber* out) {
  int ret = cachefiles_inject_read_error(k);
  if (ret == 0) ret = k.store.lookup(dir, name, out);
  trace_lookup(k, {}, dir, ret == 0 ? *out : 0, ret == -ENOENT ? 0 : ret);
  if (ret != -ENOENT) {
    if (ret < 0) trace_cachefiles_vfs_error(k, {}, dir, ret, "lookup");
    return ret;
  }
  ret = cachefiles_has_space(k, cache, 1, 0, cachefiles_has_space_for_create);
  if (ret < 0) return ret;
  cachefiles_want_write(k, Change::namei_freeze_protection);
  ret = cachefiles_inject_write_error(k);
  if (ret == 0) ret = k.store.mkdir(dir, name, 0700, out);
  if (ret < 0) {
    trace_cachefiles_vfs_error(k, {}, dir, ret, "mkdir");
    return ret;
  }
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_mkdir", "dB=%x sB=%x", static_cast<unsigned>(dir),
               static_cast<unsigned>(*out));
  }
  if (is_new != nullptr) *is_new = true;
  return 0;
}

bool create_file(Kernel& k, ObjectHandle object) {
  const CachefilesHandle cache = object->volume->cache;
  if (cachefiles_has_space(k, cache, 1, 0, cachefiles_has_space_for_create) < 0) return false;
  InodeNumber file = 0;
  if (cachefiles_create_tmpfile(k, object, &file) < 0) return false;
  object->cookie->flags.set(FSCACHE_COOKIE_NEEDS_UPDATE);
  object->flags.set(CACHEFILES_OBJECT_USING_TMPFILE);
  object->file = file;
  return true;
}

// A lookup failed after it had marked the file. Before unmark_inode_in_use_error_path the mark
// stayed.
void let_go_of_marked_file(Kernel& k, ObjectHandle object, InodeNumber file) {
  if (k.profile.has(Change::unmark_inode_in_use_error_path)) {
    do_unmark_inode_in_use(k, object, cachefiles_inode(k, file));
  }
  k.store.put(file);
}

// Takes an existing file into use if the daemon opens the object and the file is not stale; a stale
// one is replaced. Takes over the caller's reference.
bool open_file(Kernel& k, ObjectHandle object, InodeNumber file) {
  if (!mark_inode_in_use(k, object, file)) {
    pr_err(k, "cachefiles: Inode already in use: %.*s", object->d_name_len, object->d_name.data());
    if (k.profile.has(Change::dentry_leak_open_file)) k.store.put(file);
    return false;
  }
  if (k.store.read_only()) {  // nobody opens a file there to write to it
    trace_cachefiles_vfs_error(k, object, file, -EROFS, "open");
    let_go_of_marked_file(k, object, file);
    return false;
  }
  if (!k.store.can_read_and_write(file)) {
    pr_err(k, "%s", kNoOperations);
    let_go_of_marked_file(k, object, file);
    return false;
  }
  // The daemon is asked first: the size it answers with is part of the check.
  if (cachefiles_ondemand_init_object(k, object) < 0) {
    let_go_of_marked_file(k, object, file);
    return false;
  }
  const int ret = cachefiles_check_auxdata(k, object, file);
  if (ret == 0) {
    object->cookie->flags.clear(FSCACHE_COOKIE_NO_DATA_TO_READ);
    object->file = file;
    return true;
  }
  fscache_cookie_lookup_negative(k, object->cookie);
  cachefiles_unmark_inode_in_use(k, object, file);
  k.store.put(file);
  return ret == -ESTALE && create_file(k, object);
}

}  // namespace

void cachefiles_unmark_inode_in_use(Kernel& k, ObjectHandle object, InodeNumber inode) {
  const CachefilesHandle cache = object->volume->cache;
  do_unmark_inode_in_use(k, object, cachefiles_inode(k, inode));
  if (object->flags.test(CACHEFILES_OBJECT_USING_TMPFILE)) return;
  FileAttributes attributes;
  if (k.store.getattr(inode, &attributes) == 0) cache->b_released += attributes.sectors;
  if (cache->f_released.inc_return() != 0) cachefiles_state_changed(cache);
}

int cachefiles_get_directory(Kernel& k, CachefilesHandle cache, InodeNumber dir,
                             std::string_view name, bool* is_new, inode_state** out) {
  Mutex& parent = cachefiles_inode(k, dir).rwsem;
  parent.lock_nested();
  InodeNumber subdir = 0;
  int ret = lookup_or_mkdir(k, cache, dir, name, is_new, &subdir);
  if (ret < 0) {
    parent.unlock();
    if (ret == -ENOMEM && !k.profile.has(Change::get_directory_double_unlock)) parent.unlock();
    pr_err(k, "%.*s: lookup or mkdir failed with error %d", static_cast<int>(name.size()),
           name.data(), ret);
    return ret;
  }
  inode_state& child = cachefiles_inode(k, subdir);
  child.rwsem.lock();
  parent.unlock();
  const bool can_use = mark_locked(k, {}, child);
  child.rwsem.unlock();
  if (!can_use) {
    pr_err(k, "cachefiles: Inode already in use: %.*s", static_cast<int>(name.size()), name.data());
    k.store.put(subdir);
    return -EBUSY;
  }
  FileAttributes attributes;
  k.store.getattr(subdir, &attributes);
  if (attributes.type != FileType::directory) {
    pr_err(k, "%.*s is not a directory", static_cast<int>(name.size()), name.data());
    cachefiles_put_directory(k, &child);
    return -EIO;
  }
  *out = &child;
  return 0;
}

void cachefiles_put_directory(Kernel& k, inode_state* dir) {
  if (dir == nullptr) return;
  do_unmark_inode_in_use(k, {}, *dir);
  k.store.put(dir->number);
}

int cachefiles_create_tmpfile(Kernel& k, ObjectHandle object, InodeNumber* out) {
  const CachefilesHandle cache = object->volume->cache;
  const InodeNumber fan = cachefiles_fan(k, object).number;
  const uint32_t mode = k.profile.has(Change::cache_file_mode_0600) ? 0600 : 0;
  InodeNumber file = 0;
  cachefiles_want_write(k, Change::namei_freeze_protection);
  int ret = cachefiles_inject_write_error(k);
  if (ret == 0) ret = k.store.tmpfile(fan, mode, &file);
  if (ret != 0) {
    trace_cachefiles_vfs_error(k, object, fan, ret, "tmpfile");
    if (ret == -EIO) cachefiles_io_error(k, cache, "Failed to create tmpfile");
    return ret;
  }
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_tmpfile", "o=%08x B=%x", object->debug_id,
               static_cast<unsigned>(file));
  }
  warn_on(k, !mark_inode_in_use(k, object, file), "new file already in use");

  ret = cachefiles_ondemand_init_object(k, object);
  const uint64_t size =
      round_up(static_cast<uint64_t>(object->cookie->object_size), CACHEFILES_DIO_BLOCK_SIZE);
  if (ret == 0 && size > 0) {
    trace_cachefiles_trunc(k, object, file, 0, size, "EXPTMP");
    ret = cachefiles_inject_write_error(k);
    if (ret == 0) ret = k.store.truncate(file, size);
    if (ret < 0) trace_cachefiles_vfs_error(k, object, file, ret, "trunc");
  }
  if (ret == 0 && !k.store.can_read_and_write(file)) {
    if (!k.profile.has(Change::create_tmpfile_double_fput)) k.store.put(file);
    pr_err(k, "%s", kNoOperations);
    ret = -EINVAL;
  }
  if (ret < 0) {
    do_unmark_inode_in_use(k, object, cachefiles_inode(k, file));
    k.store.put(file);
    return ret;
  }
  *out = file;
  return 0;
}

bool cachefiles_look_up_object(Kernel& k, ObjectHandle object) {
  inode_state& directory = cachefiles_fan(k, object);
  const InodeNumber fan = directory.number;
  InodeNumber found = 0;
  int error = cachefiles_inject_read_error(k);
  if (error == 0) error = k.store.lookup(fan, object->name(), &found);
  trace_lookup(k, object, fan, error == 0 ? found : 0, error);
  if (error != 0 && error != -ENOENT) {
    if (error == -EIO) cachefiles_io_error(k, object->volume->cache, "Lookup failed");
    return false;
  }
  if (error == 0) {
    FileAttributes attributes;
    k.store.getattr(found, &attributes);
    if (attributes.type == FileType::regular) return open_file(k, object, found);
    directory.rwsem.lock_nested();
    const int buried = cachefiles_bury_object(k, object->volume->cache, object, fan, found,
                                              object->name(), FSCACHE_OBJECT_IS_WEIRD);
    k.store.put(found);
    if (buried < 0) return false;
  }
  fscache_cookie_lookup_negative(k, object->cookie);
  return create_file(k, object);
}

bool cachefiles_commit_tmpfile(Kernel& k, CachefilesHandle cache, ObjectHandle object) {
  inode_state& directory = cachefiles_fan(k, object);
  const InodeNumber fan = directory.number;
  directory.rwsem.lock_nested();
  InodeNumber old = 0;
  int ret = cachefiles_inject_read_error(k);
  if (ret == 0) ret = k.store.lookup(fan, object->name(), &old);
  bool linked = ret == 0 && old == object->file;
  if (ret == 0 && !linked) {
    ret = cachefiles_unlink(k, cache, object, fan, old, object->name(), FSCACHE_OBJECT_IS_STALE);
  } else if (ret == -ENOENT) {
    ret = 0;
  } else if (ret < 0) {
    trace_cachefiles_vfs_error(k, object, fan, ret, "lookup");
  }
  if (old != 0) k.store.put(old);
  if (ret == 0 && !linked) {
    cachefiles_want_write(k, Change::namei_freeze_protection);
    ret = cachefiles_inject_read_error(k);
    if (ret == 0) ret = k.store.link(object->file, fan, object->name());
    linked = ret == 0;
    if (!linked) {
      trace_cachefiles_vfs_error(k, object, fan, ret, "link");
    } else {
      if (k.trace.enabled()) {
        trace_emit(k, "cachefiles_link", "o=%08x B=%x", object->debug_id,
                   static_cast<unsigned>(object->file));
      }
      object->lock.lock();
      object->flags.clear(CACHEFILES_OBJECT_USING_TMPFILE);
      object->lock.unlock();
    }
  }
  directory.rwsem.unlock();
  return linked;
}

}  // namespace coldread
