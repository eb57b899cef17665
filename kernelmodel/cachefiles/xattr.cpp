// Coherency data in extended attributes: how a file or volume found on disk is told from a stale
// one.
//
// Models fs/cachefiles/xattr.c. On-disk format, big-endian.
#include <cerrno>
#include <cstring>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {
namespace {

// be64 object size, be64 zero point (always 0), u8 type, u8 content, then the netfs' aux data.
constexpr size_t kObjectHeader = 18;
constexpr size_t kTypeOffset = 16;
constexpr size_t kContentOffset = 17;
constexpr std::byte kTypeData{1};
// be32 0, then the netfs' coherency data.
constexpr size_t kVolumeHeader = 4;

void put_be64(std::byte* to, uint64_t value) {
  for (size_t i = 0; i < 8; i++) to[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

uint64_t get_be64(const std::byte* from) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; i++) value = value << 8 | static_cast<uint64_t>(from[i]);
  return value;
}

void trace_coherency(Kernel& k, ObjectHandle object, InodeNumber inode, std::byte content,
                     const char* result) {
  if (!k.trace.enabled()) return;
  trace_emit(k, "cachefiles_coherency", "o=%08x %s B=%llx c=%u", object->debug_id, result,
             static_cast<unsigned long long>(inode), static_cast<unsigned>(content));
}

void trace_vol_coherency(Kernel& k, Handle<cachefiles_volume> volume, const char* result) {
  if (!k.trace.enabled()) return;
  trace_emit(k, "cachefiles_vol_coherency", "V=%08x %s B=%llx", volume->vcookie->debug_id, result,
             static_cast<unsigned long long>(volume->dentry->number));
}

// What is wrong with a complete attribute, or null.
const char* judge_object(CookieHandle cookie, const std::byte* value) {
  if (value[kTypeOffset] != kTypeData) return "BAD type";
  if (std::memcmp(value + kObjectHeader, cookie->aux.data(), cookie->aux_len) != 0) {
    return "BAD aux ";
  }
  if (get_be64(value) != static_cast<uint64_t>(cookie->object_size)) return "BAD osiz";
  if (value[kContentOffset] == std::byte{CACHEFILES_CONTENT_DIRTY}) return "BAD dirt";
  return nullptr;
}

}  // namespace

int cachefiles_set_object_xattr(Kernel& k, ObjectHandle object) {
  const InodeNumber file = object->file;
  if (file == 0) return -ESTALE;
  const CookieHandle cookie = object->cookie;
  std::array<std::byte, kObjectHeader + 255> value{};
  put_be64(value.data(), static_cast<uint64_t>(cookie->object_size));
  value[kTypeOffset] = kTypeData;
  value[kContentOffset] = static_cast<std::byte>(cookie->flags.test(FSCACHE_COOKIE_LOCAL_WRITE)
                                                     ? CACHEFILES_CONTENT_DIRTY
                                                     : object->content_info);
  std::memcpy(value.data() + kObjectHeader, cookie->aux.data(), cookie->aux_len);
  int ret = cachefiles_inject_write_error(k);
  if (ret == 0) {
    cachefiles_want_write(k, Change::xattr_freeze_protection);
    ret = k.store.setxattr(file, kCachefilesXattr, {value.data(), kObjectHeader + cookie->aux_len});
  }
  if (ret < 0) {
    trace_cachefiles_vfs_error(k, object, file, ret, "setxattr");
    trace_coherency(k, object, file, value[kContentOffset], "SET fail");
    if (ret != -ENOMEM) cachefiles_io_error(k, object->volume->cache, "Failed to set xattr");
  } else {
    trace_coherency(k, object, file, value[kContentOffset], "SET ok  ");
  }
  return ret;
}

int cachefiles_check_auxdata(Kernel& k, ObjectHandle object, InodeNumber file) {
  const CookieHandle cookie = object->cookie;
  std::array<std::byte, kObjectHeader + 255> value{};
  const size_t length = kObjectHeader + cookie->aux_len;
  ssize_t got = cachefiles_inject_read_error(k);
  if (got == 0) got = k.store.getxattr(file, kCachefilesXattr, {value.data(), length});
  int ret = -ESTALE;
  const char* why = "BAD xatt";
  if (got < 0) {
    ret = static_cast<int>(got);
    trace_cachefiles_vfs_error(k, object, file, ret, "getxattr");
    if (ret == -EIO) cachefiles_io_error(k, object->volume->cache, "Failed to read aux");
    if (!k.profile.has(Change::getxattr_errors_propagated)) ret = -ESTALE;
  } else if (static_cast<size_t>(got) == length) {
    why = judge_object(cookie, value.data());
    if (why == nullptr) {
      why = "OK      ";
      ret = 0;
    }
  }
  trace_coherency(k, object, file, value[kContentOffset], why);
  return ret;
}

int cachefiles_remove_object_xattr(Kernel& k, CachefilesHandle cache, ObjectHandle object,
                                   InodeNumber inode) {
  int ret = cachefiles_inject_remove_error(k);
  if (ret == 0) {
    cachefiles_want_write(k, Change::xattr_freeze_protection);
    ret = k.store.removexattr(inode, kCachefilesXattr);
  }
  if (ret >= 0) return ret;
  trace_cachefiles_vfs_error(k, object, inode, ret, "remxattr");
  if (ret == -ENOENT || ret == -ENODATA) return 0;
  if (ret != -ENOMEM) cachefiles_io_error(k, cache, "Can't remove xattr");
  return ret;
}

void cachefiles_prepare_to_write(Kernel& k, CookieHandle cookie) {
  const ObjectHandle object = cookie->cache_priv;
  if (!object->flags.test(CACHEFILES_OBJECT_USING_TMPFILE)) cachefiles_set_object_xattr(k, object);
}

bool cachefiles_set_volume_xattr(Kernel& k, Handle<cachefiles_volume> volume) {
  const VolumeHandle vcookie = volume->vcookie;
  std::array<std::byte, kVolumeHeader + 255> value{};
  if (vcookie->coherency_len > 0 && !k.profile.has(Change::volume_xattr_oob_write)) {
    k.scheduler.broken(
        ReportKind::out_of_bounds,
        "a volume's coherency data is copied with the length of the whole attribute");
  }
  std::memcpy(value.data() + kVolumeHeader, vcookie->coherency.data(), vcookie->coherency_len);
  int ret = cachefiles_inject_write_error(k);
  if (ret == 0) {
    cachefiles_want_write(k, Change::xattr_freeze_protection);
    ret = k.store.setxattr(volume->dentry->number, kCachefilesXattr,
                           {value.data(), kVolumeHeader + vcookie->coherency_len});
  }
  if (ret < 0) {
    trace_cachefiles_vfs_error(k, {}, volume->dentry->number, ret, "setxattr");
    trace_vol_coherency(k, volume, "VOL SET fail");
    if (ret != -ENOMEM) cachefiles_io_error(k, volume->cache, "Failed to set xattr");
  } else {
    trace_vol_coherency(k, volume, "VOL SET ok  ");
  }
  return ret == 0;
}

int cachefiles_check_volume_xattr(Kernel& k, Handle<cachefiles_volume> volume) {
  const VolumeHandle vcookie = volume->vcookie;
  std::array<std::byte, kVolumeHeader + 255> value{};
  const size_t length = kVolumeHeader + vcookie->coherency_len;
  ssize_t got = cachefiles_inject_read_error(k);
  if (got == 0)
    got = k.store.getxattr(volume->dentry->number, kCachefilesXattr, {value.data(), length});
  constexpr std::array<std::byte, kVolumeHeader> kReserved{};
  int ret = -ESTALE;
  const char* why = "VOL BAD xatt";
  if (got < 0) {
    ret = static_cast<int>(got);
    trace_cachefiles_vfs_error(k, {}, volume->dentry->number, ret, "getxattr");
    if (ret == -EIO) cachefiles_io_error(k, volume->cache, "Failed to read xattr");
    if (!k.profile.has(Change::getxattr_errors_propagated)) ret = -ESTALE;
  } else if (static_cast<size_t>(got) != length) {
    why = "VOL BAD xatt";
  } else if (std::memcmp(value.data(), kReserved.data(), kVolumeHeader) != 0) {
    why = "VOL BAD resv";
  } else if (std::memcmp(value.data() + kVolumeHeader, vcookie->coherency.data(),
                         vcookie->coherency_len) != 0) {
    why = "VOL BAD cmp ";
  } else {
    why = "VOL OK      ";
    ret = 0;
  }
  trace_vol_coherency(k, volume, why);
  return ret;
}

}  // namespace coldread
