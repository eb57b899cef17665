// cachefiles' own structures and the functions its files share.
//
// Models fs/cachefiles/internal.h. A backing file or directory is an inode of the backing store, 0
// where the kernel has a null pointer; references are those of the store's get() and put().
//
// Threads and handles: as in fscache.h. A function may block unless it says "never sleeps". Objects
// and requests count references; a cache lives while its device or an anonymous fd is open, a
// volume and an ondemand_info as long as the record they belong to.
//
// Units: bytes, unless said otherwise. "The store's errno": see ports/backing_store.h. An error
// that "kills the cache" marks it DEAD (cachefiles_io_error). `why` is a tracepoint's literal.
#pragma once

#include <array>
#include <cerrno>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <unordered_map>

#include "kernelmodel/cachefiles/uapi.h"
#include "kernelmodel/fscache/fscache.h"
#include "kernelmodel/kernel/bit_flags.h"
#include "kernelmodel/kernel/completion.h"
#include "kernelmodel/kernel/file.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/mutex.h"
#include "kernelmodel/kernel/ref_count.h"
#include "kernelmodel/kernel/spin_lock.h"
#include "kernelmodel/kernel/work_queue.h"
#include "kernelmodel/kernel/xarray.h"

namespace coldread {

inline constexpr uint64_t CACHEFILES_DIO_BLOCK_SIZE = 4096;  // bytes
inline constexpr int CACHEFILES_ONDEMAND_ID_CLOSED = -1;
inline constexpr XaMark CACHEFILES_REQ_NEW = XA_MARK_1;
inline constexpr std::string_view kCachefilesXattr = "user.CacheFiles.cache";

enum cachefiles_content : uint8_t {  // the byte in the attribute
  CACHEFILES_CONTENT_NO_DATA = 0,
  CACHEFILES_CONTENT_SINGLE = 1,
  CACHEFILES_CONTENT_ALL = 2,
  CACHEFILES_CONTENT_BACKFS_MAP = 3,
  CACHEFILES_CONTENT_DIRTY = 4,
};

enum cachefiles_object_state : uint8_t {
  CACHEFILES_ONDEMAND_OBJSTATE_CLOSE,
  CACHEFILES_ONDEMAND_OBJSTATE_OPEN,
  CACHEFILES_ONDEMAND_OBJSTATE_REOPENING,
  CACHEFILES_ONDEMAND_OBJSTATE_DROPPING,
};

enum : unsigned {  // cachefiles_cache::flags
  CACHEFILES_READY,
  CACHEFILES_DEAD,
  CACHEFILES_CULLING,
  CACHEFILES_STATE_CHANGED,
  CACHEFILES_ONDEMAND_MODE,
};

enum : unsigned {  // cachefiles_object::flags
  CACHEFILES_OBJECT_USING_TMPFILE,
};

enum cachefiles_has_space_for : uint8_t {
  cachefiles_has_space_check,
  cachefiles_has_space_for_write,
  cachefiles_has_space_for_create,
};

// enum fscache_why_object_killed, as the tracepoints spell it.
enum fscache_why_object_killed : uint8_t {
  FSCACHE_OBJECT_IS_STALE,
  FSCACHE_OBJECT_IS_WEIRD,
  FSCACHE_OBJECT_INVALIDATED,
  FSCACHE_OBJECT_NO_SPACE,
  FSCACHE_OBJECT_WAS_RETIRED,
  FSCACHE_OBJECT_WAS_CULLED,
  FSCACHE_VOLUME_IS_WEIRD,
};

struct cachefiles_object;
struct cachefiles_req;
using ObjectHandle = Handle<cachefiles_object>;
using ReqHandle = Handle<cachefiles_req>;

// A backing inode as cachefiles marks and locks it (i_rwsem, S_KERNEL_FILE). Kept to the end of the
// run, once made. Small: a volume has 256, all of them touched when it is given up.
struct inode_state {
  inode_state(Scheduler& scheduler, InodeNumber its_number);
  [[no_unique_address]] Mutex rwsem;
  bool kernel_file = false;
  const InodeNumber number;
};

struct cachefiles_volume {
  Handle<cachefiles_cache> cache;
  VolumeHandle vcookie;
  inode_state* dentry = nullptr;
  std::array<inode_state*, 256> fanout{};
  bool listed = false;
  bool withdrawn = false;  // withdraw_volume_once
  std::pmr::list<Handle<cachefiles_volume>>::iterator cache_link;
};

struct cachefiles_ondemand_info {
  cachefiles_ondemand_info(Kernel& kernel, ObjectHandle owner);

  Work ondemand_work;  // reopens the object
  SpinLock lock;
  int ondemand_id = 0;  // 0: never opened, > 0: open, -1: the fd was closed
  cachefiles_object_state state = CACHEFILES_ONDEMAND_OBJSTATE_CLOSE;
  ObjectHandle object;
  Kernel* kernel;
};

struct cachefiles_object {
  explicit cachefiles_object(Kernel& kernel);

  CookieHandle cookie;
  Handle<cachefiles_volume> volume;
  bool listed = false;
  std::pmr::list<ObjectHandle>::iterator cache_link;
  InodeNumber file = 0;
  int64_t file_pos = 0;  // of the backing file: every seek moves it, the model's own included
  std::array<char, 352> d_name;  // the longest is 338; the length is cut to 8 bits, as in Linux
  uint8_t d_name_len = 0;
  uint32_t debug_id = 0;
  cachefiles_content content_info = CACHEFILES_CONTENT_NO_DATA;
  SpinLock lock;
  RefCount ref;
  BitFlags flags;
  Handle<cachefiles_ondemand_info> ondemand;  // null outside on-demand mode
  uint64_t reads_sent = 0;                    // the model's own: READ requests so far

  std::string_view name() const { return {d_name.data(), d_name_len}; }
};

// A message as it is copied to the daemon: the header and what follows it. Only the first `len`
// bytes mean anything.
struct ondemand_message : uapi::cachefiles_msg {
  union {
    uapi::cachefiles_read read;
    struct {
      uapi::cachefiles_open open;
      std::array<std::byte, kLargestMessage - 32> keys;
    };
  };

  std::span<const std::byte> bytes() const {
    return {reinterpret_cast<const std::byte*>(this), len};
  }
};

// One message on its way to the daemon and what became of it.
struct cachefiles_req {
  cachefiles_req(Scheduler& scheduler, ObjectHandle owner);

  ObjectHandle object;
  Completion done;
  RefCount ref;
  int error = 0;
  bool answered = false;  // the model's own: a second answer is a report
  ondemand_message msg;
};

// What the cache acts with; only whether it is given back matters.
struct cred {};

struct cachefiles_cache {
  explicit cachefiles_cache(Kernel& kernel);

  CacheHandle cache;
  InodeNumber mnt = 0;           // the directory bound
  inode_state* store = nullptr;  // its "cache"
  inode_state* graveyard = nullptr;
  std::pmr::list<Handle<cachefiles_volume>> volumes;
  std::pmr::list<ObjectHandle> object_list;
  SpinLock object_list_lock;
  Mutex daemon_mutex;
  WaitQueue daemon_pollwq;
  uint32_t gravecounter = 0;
  AtomicCount f_released;   // files let go of since the daemon last read
  uint64_t b_released = 0;  // their sectors of 512 bytes
  uint64_t b_writing = 0;   // blocks of bsize
  // 0 <= stop < cull < run < 100.
  uint64_t frun_percent = 7, fcull_percent = 5, fstop_percent = 1;
  uint64_t brun_percent = 7, bcull_percent = 5, bstop_percent = 1;
  uint32_t bsize = 0;                       // bytes
  unsigned bshift = 0;                      // its logarithm
  uint64_t frun = 0, fcull = 0, fstop = 0;  // inodes
  uint64_t brun = 0, bcull = 0, bstop = 0;  // blocks of bsize
  BitFlags flags;
  std::pmr::string rootdirname;
  std::pmr::string tag;
  bool have_tag = false;
  std::pmr::string secctx;  // accepted, or not judged yet (before secctx_parse_immediate)
  Handle<cred> cache_cred;  // since bind
  RefCount unbind_pincount;
  XArray<cachefiles_req> reqs;
  uint64_t req_id_next = 0;
  XArray<cachefiles_object> ondemand_ids;  // only the ids matter
  uint32_t ondemand_id_next = 0;
  uint32_t msg_id_next = 0;
};
using CachefilesHandle = Handle<cachefiles_cache>;

// The subsystem's globals.
struct cachefiles_state {
  explicit cachefiles_state(Kernel& kernel);

  Pool<cachefiles_cache> cache_pool;
  Pool<cachefiles_volume> volume_pool;
  Pool<cachefiles_object> object_pool;
  Pool<cachefiles_ondemand_info> info_pool;
  Pool<cachefiles_req> req_pool;
  Pool<cred> cred_pool;
  std::pmr::unordered_map<InodeNumber, inode_state> inodes;  // looked up in, never gone through
  Mutex rename_mutex;  // s_vfs_rename_mutex of the file system
  bool open = false;   // cachefiles_open: the device is in use
  AtomicCount object_debug_id;
  uint32_t error_injection_state = 0;  // /proc/sys/cachefiles/error_injection: bits ENOSPC, EIO
};

// --- error_inject.c: what CONFIG_CACHEFILES_ERROR_INJECTION puts in a call's place; 0: nothing ---
inline int cachefiles_inject_read_error(Kernel& k) {
  return (k.cachefiles.error_injection_state & 2) != 0 ? -EIO : 0;
}
inline int cachefiles_inject_write_error(Kernel& k) {
  if ((k.cachefiles.error_injection_state & 2) != 0) return -EIO;
  return (k.cachefiles.error_injection_state & 1) != 0 ? -ENOSPC : 0;
}
inline int cachefiles_inject_remove_error(Kernel& k) {
  return (k.cachefiles.error_injection_state & 2) != 0 ? -EIO : 0;
}

// Waits until the file system may be written to (mnt_want_write()), if the profile has the change
// that asks. The kernel asks before it locks; here nothing holds a right to write, so it is asked
// right before the call that writes.
inline void cachefiles_want_write(Kernel& k, Change asks) {
  if (k.profile.has(asks)) k.store.want_write();
}

inline bool cachefiles_in_ondemand_mode(CachefilesHandle cache) {
  return cache->flags.test(CACHEFILES_ONDEMAND_MODE);
}
inline ObjectHandle cachefiles_cres_object(const netfs_cache_resources& cres) {
  return cres.cookie->cache_priv;
}

// --- cache.c: space and withdrawal ---
// bind: 0; -EBUSY (tag in use, or a directory of another cache's), path_lookup's errno, -EOPNOTSUPP
// (a file system that cannot hold a cache), -EROFS, statfs' errno, -ERANGE (block size 0),
// -EOPNOTSUPP (blocks above a page), cachefiles_get_directory()'s.
int cachefiles_add_cache(Kernel& k, CachefilesHandle cache);
// Room for so many more files and blocks of bsize? 0, -ENOBUFS (below a stop limit) or statfs'
// errno (-EIO kills the cache). May begin or end culling.
int cachefiles_has_space(Kernel& k, CachefilesHandle cache, uint64_t files, uint64_t blocks,
                         cachefiles_has_space_for reason);
// Waits until nobody uses cookies or volumes of the cache; objects are committed.
void cachefiles_withdraw_cache(Kernel& k, CachefilesHandle cache);
// DEAD: all pending requests end with -EIO, new ones are refused. These two never sleep.
void cachefiles_io_error(Kernel& k, CachefilesHandle cache, const char* text);
void cachefiles_state_changed(CachefilesHandle cache);  // wakes pollers

// --- security.c: credentials ---
// Prepares the cache's: 0, -EOPNOTSUPP (a security context, no CONFIG_SECURITY).
// cachefiles_put_cred() gives them back, if there are any. Neither sleeps.
int cachefiles_get_security_ID(Kernel& k, CachefilesHandle cache);
void cachefiles_put_cred(Kernel& k, CachefilesHandle cache);

// --- daemon.c: the device ---
// Opens /dev/cachefiles: 0 and *out with a reference; -EPERM (not privileged), -EBUSY (open, or the
// last cache is still pinned by an anonymous fd), -ENOMEM.
// Then: read  0 while unbound or with nothing to deliver; classic: a line, -EMSGSIZE, -EFAULT;
//             on-demand: cachefiles_ondemand_daemon_read().
//       write the whole length; -EIO (dead), -EOPNOTSUPP (over 4095 bytes, leading blank, unknown
//             command), -EINVAL (a NUL, a newline first), or the command's errno.
int cachefiles_daemon_open(Kernel& k, uint32_t open_flags, FileHandle* out);
void cachefiles_flush_reqs(Kernel& k, CachefilesHandle cache);  // all get -EIO; never sleeps
// What keeps the cache: the device and every anonymous fd. The last put withdraws and frees it.
void cachefiles_get_unbind_pincount(CachefilesHandle cache);
void cachefiles_put_unbind_pincount(Kernel& k, CachefilesHandle cache);
// The commands (daemon_commands.cpp). `args` has no leading blanks; daemon_mutex is held. 0, or:
// - limits: -EINVAL; dir, tag: -EINVAL (empty), -EEXIST (set already)
// - secctx: -EINVAL (empty, or the second), -EOPNOTSUPP (no CONFIG_SECURITY); debug: -EINVAL
// - bind: -EINVAL (no dir, bad argument), -EBUSY (bound), cachefiles_add_cache()'s
// - cull, inuse: -EINVAL ('/' in the name), -EIO (unbound or dead), cachefiles_cull()'s
// - copen, restore: below
struct cachefiles_daemon_cmd {
  std::string_view name;
  int (*handler)(Kernel& k, CachefilesHandle cache, std::string_view args);
};
std::span<const cachefiles_daemon_cmd> cachefiles_daemon_cmds();

// --- interface.c: objects ---
// The first three run on a worker. Lookup makes the object and waits for the daemon's answer to
// OPEN; false: it failed, the cookie is FAILED and its object still to be withdrawn.
bool cachefiles_lookup_cookie(Kernel& k, CookieHandle cookie);
// Commits or drops the file and sends CLOSE. Ends the cookie's reference to the object.
void cachefiles_withdraw_cookie(Kernel& k, CookieHandle cookie);
bool cachefiles_invalidate_cookie(Kernel& k, CookieHandle cookie);  // false: no new file
// Between begin and end of a write operation. Failure to shorten kills the cache.
void cachefiles_resize_cookie(Kernel& k, netfs_cache_resources& cres, int64_t new_size);
// References; the last put frees the object. grab and see (trace only) never sleep.
ObjectHandle cachefiles_grab_object(Kernel& k, ObjectHandle object, const char* why);
void cachefiles_put_object(Kernel& k, ObjectHandle object, const char* why);
void cachefiles_see_object(Kernel& k, ObjectHandle object, const char* why);

// --- io.c ---
// An operation on the object's file, which `cres` pins. False: more was wanted than parameters and
// there is no file yet. Never sleeps. Use fscache's begin/end: they pin the cookie, too.
bool cachefiles_begin_operation(Kernel& k, netfs_cache_resources& cres, fscache_want_state want);
void cachefiles_end_operation(Kernel& k, netfs_cache_resources& cres);
// Says where [start, start + *len) is to come from, shortening *len to a boundary; sends READ and
// waits if NETFS_SREQ_ONDEMAND is among *flags (bits) and there is a hole; no answer, or an error,
// is NETFS_INVALID_READ. netfs_inode: for the trace.
netfs_io_source cachefiles_prepare_read(Kernel& k, netfs_cache_resources& cres, int64_t start,
                                        uint64_t* len, int64_t i_size, uint32_t* flags,
                                        uint64_t netfs_inode);
// What a completion gets: the bytes read (a gap that was zeroed before them not included; all of
// `data` if CLEAR zeroed that), or -ENOBUFS (cookie not usable),
// -ENODATA (hole mode FAIL and no data at all), -ESTALE (invalidated meanwhile), the store's errno
// of seek and read. With the hook here (v8): also cachefiles_ondemand_read()'s. Without completion
// (`sync`) what the function returns: 0 for any success, an invalidation included.
ssize_t cachefiles_read(Kernel& k, netfs_cache_resources& cres, int64_t start,
                        std::span<std::byte> data, netfs_read_from_hole read_hole, bool sync);
// Where, from `start` on, data begins in whole blocks of `granularity` (at least the store's), and
// how much of it there is: 0; -ENODATA: none before start + len; -ENOBUFS: cookie not usable, or
// the store's errno of seek. *data_len is all of `len` if the data goes on behind the range.
int cachefiles_query_occupancy(Kernel& k, netfs_cache_resources& cres, int64_t start, uint64_t len,
                               uint64_t granularity, int64_t* data_start, uint64_t* data_len);
// The bytes written, -ENOBUFS (cookie not usable) or the store's errno of write.
ssize_t cachefiles_write(Kernel& k, netfs_cache_resources& cres, int64_t start,
                         std::span<const std::byte> data);
// Makes *start and *len whole pages and finds room. 0; -ENOBUFS (below a stop limit, no file, or
// unaligned or *len > upper_len where the profile refuses that), statfs' and seek's errno, -EIO
// (the hole could not be punched: kills the cache).
int cachefiles_prepare_write(Kernel& k, netfs_cache_resources& cres, int64_t* start, uint64_t* len,
                             uint64_t upper_len, bool no_space_allocated_yet);
int cachefiles_prepare_object_write(Kernel& k, ObjectHandle object, InodeNumber file,
                                    int64_t* start, uint64_t* len, uint64_t upper_len,
                                    bool no_space_allocated_yet);  // __cachefiles_prepare_write
ssize_t cachefiles_write_object(Kernel& k, ObjectHandle object, InodeNumber file, int64_t start,
                                const UserData& user);  // __cachefiles_write

// prepare_write_subreq and issue_write: what the netfs library counts as written of `part`, or an
// errno: -ENOBUFS (no file, no room), write's. What does not fill a block counts, though it is left
// out. `extendable_to`: so many bytes behind the end of the file may be written with its last
// block.
ssize_t cachefiles_issue_write(Kernel& k, netfs_cache_resources& cres,
                               const netfs_write_subrequest& part, int64_t i_size,
                               uint64_t extendable_to);

// --- key.c ---
// The file's name from the cookie's key. More than 252 bytes of key: a report that ends the run.
void cachefiles_cook_key(ObjectHandle object);

// --- namei.c ---
// Finds or makes `name` in `dir`; 0 and *out with a reference and marked in use, until
// cachefiles_put_directory(). *is_new (may be null) becomes true if made. -ENOBUFS (no space to
// make it), -EBUSY (in use), -EIO (no directory), the store's errno of lookup and mkdir.
int cachefiles_get_directory(Kernel& k, CachefilesHandle cache, InodeNumber dir,
                             std::string_view name, bool* is_new, inode_state** out);
void cachefiles_put_directory(Kernel& k, inode_state* dir);  // null: nothing to do
// The caller holds dir's rwsem. 0 or the store's errno; -EIO kills the cache.
int cachefiles_unlink(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                      InodeNumber inode, std::string_view name, fscache_why_object_killed why);
// vfs_llseek() on a backing file for data or holes: as BackingStore::seek, and the object's file
// stands there afterwards.
int64_t cachefiles_seek(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t offset,
                        Whence whence);
// The same where errors can be injected: all but the anonymous fd's.
int64_t cachefiles_look(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t offset,
                        Whence whence);
inode_state& cachefiles_inode(Kernel& k, InodeNumber inode);  // made on first use
// The fan-out directory the object's name belongs into. One that was given up with its volume has
// no number: the store reports it.
inode_state& cachefiles_fan(Kernel& k, ObjectHandle object);
// The caller holds the inode's rwsem.
void cachefiles_unmark_inode_locked(Kernel& k, ObjectHandle object, InodeNumber inode);
// Gives the object its file, found or new, once the daemon has opened it. False: it has none.
bool cachefiles_look_up_object(Kernel& k, ObjectHandle object);
// False: the tmpfile could not be linked under the object's name, and stays unnamed.
bool cachefiles_commit_tmpfile(Kernel& k, CachefilesHandle cache, ObjectHandle object);
// 0 and *out with a reference, marked in use; the store's errno of tmpfile (-EIO kills the cache)
// and truncate, or cachefiles_ondemand_init_object()'s.
int cachefiles_create_tmpfile(Kernel& k, ObjectHandle object, InodeNumber* out);
int cachefiles_delete_object(Kernel& k, ObjectHandle object, fscache_why_object_killed why);
// Unlinks a file, moves a directory to the graveyard. Called with `dir` locked; unlocks it. 0 (also
// if the move failed, which kills the cache), -ESTALE (the name leads elsewhere now), unlink's.
int cachefiles_bury_object(Kernel& k, CachefilesHandle cache, ObjectHandle object, InodeNumber dir,
                           InodeNumber rep, std::string_view name, fscache_why_object_killed why);
void cachefiles_unmark_inode_in_use(Kernel& k, ObjectHandle object, InodeNumber inode);
// The command's `name` in `dir`: 0 (culled; not in use), -EBUSY (in use), -ENOENT, -ENOMEM, -ESTALE
// (gone before it was culled), -EIO (anything else; an -EIO of the lookup kills the cache).
int cachefiles_cull(Kernel& k, CachefilesHandle cache, InodeNumber dir, std::string_view name);
int cachefiles_check_in_use(Kernel& k, CachefilesHandle cache, InodeNumber dir,
                            std::string_view name);

// --- ondemand.c ---
// One message: its length; 0: none, it never waits for one; -EMSGSIZE, which leaves it unread.
// These also end the request with them: -EFAULT, and for OPEN -EMFILE, -EBUSY (no object id),
// -EEXIST (its fd is still open).
ssize_t cachefiles_ondemand_daemon_read(Kernel& k, CachefilesHandle cache, UserBuffer buffer);
// Whether a read would deliver an OPEN, which brings a descriptor. No kernel asks this; who cannot
// give every reader a descriptor does.
bool cachefiles_ondemand_next_is_open(Kernel& k, CachefilesHandle cache);
// "<id>,<size or errno>": 0; -EOPNOTSUPP (not on-demand), -EINVAL (malformed, no delivered OPEN of
// that id, errno below -4095), -ERANGE. A closed fd is the OPEN's -EBADFD alone.
int cachefiles_ondemand_copen(Kernel& k, CachefilesHandle cache, std::string_view args);
// All requests are unread again: 0, -EOPNOTSUPP (not on-demand).
int cachefiles_ondemand_restore(Kernel& k, CachefilesHandle cache, std::string_view args);
// Sends OPEN and waits, killably: 0 (also if open already, or not on-demand); the errno copen gave
// or reading the message met; -EBADFD, -EIO (dead, flushed, dropped), -EBUSY (no message id),
// -EINTR (killed), -EINVAL (the cookie does not want the cache's size).
int cachefiles_ondemand_init_object(Kernel& k, ObjectHandle object);
// Sends CLOSE and waits until it is read; then ends the object's requests with -EIO.
void cachefiles_ondemand_clean_object(Kernel& k, ObjectHandle object);
// Always 0; outside on-demand mode the object gets no info. Neither sleeps.
int cachefiles_ondemand_init_obj_info(Kernel& k, ObjectHandle object,
                                      Handle<cachefiles_volume> volume);
void cachefiles_ondemand_deinit_obj_info(Kernel& k, ObjectHandle object);
// Sends READ and waits, killably: 0 (answered, which says nothing about the data), -EIO, -EBUSY,
// -EINTR as for OPEN, -EFAULT (the daemon's buffer).
int cachefiles_ondemand_read(Kernel& k, ObjectHandle object, uint64_t pos, uint64_t len);
bool cachefiles_ondemand_is_reopening_read(ReqHandle req);
void cachefiles_ondemand_object_worker(void* info);  // the Work that reopens an object
// The entry of a request table as a handle.
inline ReqHandle req_handle(cachefiles_req* req) {
  return req != nullptr ? ReqHandle::of(*req) : ReqHandle();
}

// --- volume.c ---
// On a worker: makes the directories and sets vcookie->cache_priv, which stays null on failure. The
// other two end that: free when the netfs is done, withdraw (saves the xattr) when the cache is.
void cachefiles_acquire_volume(Kernel& k, VolumeHandle vcookie);
void cachefiles_free_volume(Kernel& k, VolumeHandle vcookie);
void cachefiles_withdraw_volume(Kernel& k, Handle<cachefiles_volume> volume);

// --- xattr.c ---
// Setters and remove: 0 (remove: also if there was none) or the store's errno, of which all but
// -ENOMEM kill the cache; -ESTALE: the object has no file. set_volume: false for any errno.
// Checks: 0 (fits), -ESTALE (does not), or getxattr's errno (-EIO kills the cache).
int cachefiles_set_object_xattr(Kernel& k, ObjectHandle object);
int cachefiles_check_auxdata(Kernel& k, ObjectHandle object, InodeNumber file);
int cachefiles_remove_object_xattr(Kernel& k, CachefilesHandle cache, ObjectHandle object,
                                   InodeNumber inode);
// Marks a named file dirty on disk before the netfs changes it.
void cachefiles_prepare_to_write(Kernel& k, CookieHandle cookie);
bool cachefiles_set_volume_xattr(Kernel& k, Handle<cachefiles_volume> volume);
int cachefiles_check_volume_xattr(Kernel& k, Handle<cachefiles_volume> volume);

}  // namespace coldread
