// Writing to the backing file: finding room, preparing ranges, direct I/O.
//
// Models the other half of fs/cachefiles/io.c.
#include <algorithm>
#include <cerrno>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {

namespace {

constexpr uint64_t kLogicalBlock = 512;  // bytes, of the cache's disk

// Direct I/O looks at how the write lies before it looks for the memory.
ssize_t write_file(Kernel& k, InodeNumber file, int64_t start, const UserData& data) {
  const auto offset = static_cast<uint64_t>(start);
  if (!data.faults || data.bytes.empty()) return k.store.write(file, offset, data.bytes);
  return (offset | data.bytes.size()) % kLogicalBlock != 0 ? -EINVAL : -EFAULT;
}

}  // namespace

ssize_t cachefiles_write_object(Kernel& k, ObjectHandle object, InodeNumber file, int64_t start,
                                const UserData& user) {
  const std::span<const std::byte> data = user.bytes;
  k.fscache.stats.n_writes++;
  if (!has_memory_for(k, Allocation::write)) return -ENOMEM;
  const CachefilesHandle cache = object->volume->cache;
  const uint64_t blocks = (data.size() + (uint64_t{1} << cache->bshift) - 1) >> cache->bshift;
  cache->b_writing += blocks;
  cachefiles_grab_object(k, object, "GET ioreq");
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_write", "o=%08x B=%x s=%llx l=%zx", object->debug_id,
               static_cast<unsigned>(file), static_cast<unsigned long long>(start), data.size());
  }
  k.scheduler.preemption_point(&*object);
  ssize_t ret = cachefiles_inject_write_error(k);
  if (ret == 0) ret = write_file(k, file, start, user);
  if (ret < 0) trace_cachefiles_io_error(k, object, file, static_cast<int>(ret), "write");
  cache->b_writing -= blocks;
  object->cookie->flags.set(FSCACHE_COOKIE_HAVE_DATA);
  cachefiles_put_object(k, object, "PUT ioreq");
  return ret;
}

ssize_t cachefiles_write(Kernel& k, netfs_cache_resources& cres, int64_t start,
                         std::span<const std::byte> data) {
  if (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_WRITE)) return -ENOBUFS;
  return cachefiles_write_object(k, cachefiles_cres_object(cres), cres.file, start, data);
}

int cachefiles_prepare_object_write(Kernel& k, ObjectHandle object, InodeNumber file,
                                    int64_t* start, uint64_t* len, uint64_t upper_len,
                                    bool no_space_allocated_yet) {
  const CachefilesHandle cache = object->volume->cache;
  const int64_t aligned =
      *start / static_cast<int64_t>(kPageSize) * static_cast<int64_t>(kPageSize);
  if (k.profile.has(Change::fd_write_position_alignment)) {
    if (aligned != *start || *len > upper_len) {
      k.fscache.stats.n_dio_misfit++;
      return -ENOBUFS;
    }
    *len = round_up(*len, kPageSize);
  } else {
    *len = round_up(*len + static_cast<uint64_t>(*start - aligned), kPageSize);
    *start = aligned;
  }
  const uint64_t pages = *len / kPageSize;
  const auto check_space = [&] {
    return cachefiles_has_space(k, cache, 0, pages, cachefiles_has_space_for_write);
  };
  if (no_space_allocated_yet) return check_space();

  const auto begin = static_cast<uint64_t>(*start);
  int64_t pos = cachefiles_look(k, object, file, begin, Whence::data);
  if (pos == -ENXIO) return check_space();
  if (pos < 0) {
    trace_cachefiles_io_error(k, object, file, static_cast<int>(pos), "seek");
    return static_cast<int>(pos);
  }
  if (static_cast<uint64_t>(pos) >= begin + *len) return check_space();
  if (cachefiles_has_space(k, cache, 0, pages, cachefiles_has_space_check) == 0) return 0;
  pos = cachefiles_look(k, object, file, begin, Whence::hole);
  if (pos < 0) {
    trace_cachefiles_io_error(k, object, file, static_cast<int>(pos), "seek");
    return static_cast<int>(pos);
  }
  if (static_cast<uint64_t>(pos) >= begin + *len) return 0;

  k.fscache.stats.n_no_write_space++;
  int ret = cachefiles_inject_remove_error(k);
  if (ret == 0) ret = k.store.punch_hole(file, begin, *len);
  if (ret >= 0) return ret;
  trace_cachefiles_io_error(k, object, file, ret, "fallocate");
  cachefiles_io_error(k, cache, "CacheFiles: fallocate failed");
  return -EIO;
}

int cachefiles_prepare_write(Kernel& k, netfs_cache_resources& cres, int64_t* start, uint64_t* len,
                             uint64_t upper_len, bool no_space_allocated_yet) {
  const ObjectHandle object = cachefiles_cres_object(cres);
  if (cres.file == 0 &&
      (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_WRITE) || cres.file == 0)) {
    return -ENOBUFS;
  }
  return cachefiles_prepare_object_write(k, object, cres.file, start, len, upper_len,
                                         no_space_allocated_yet);
}

// Since 6.10 the netfs library hands over ranges as they are, and they are cut to whole blocks
// here: the beginning is left out, the end completed if the file ends there, or left out as well.
ssize_t cachefiles_issue_write(Kernel& k, netfs_cache_resources& cres,
                               const netfs_write_subrequest& part, int64_t i_size,
                               uint64_t extendable_to) {
  if (cres.file == 0 &&
      (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_WRITE) || cres.file == 0)) {
    return -ENOBUFS;
  }
  const ObjectHandle object = cachefiles_cres_object(cres);
  auto start = static_cast<uint64_t>(part.start);
  uint64_t length = part.length;
  uint64_t before = 0;
  if (const uint64_t off = start % CACHEFILES_DIO_BLOCK_SIZE; off != 0) {
    before = CACHEFILES_DIO_BLOCK_SIZE - off;
    if (before >= length) {
      k.fscache.stats.n_dio_misfit++;
      return static_cast<ssize_t>(length);
    }
    start += before;
    length -= before;
  }
  if (start + length == static_cast<uint64_t>(i_size)) {
    const uint64_t rest = length % CACHEFILES_DIO_BLOCK_SIZE;
    const uint64_t need = CACHEFILES_DIO_BLOCK_SIZE - rest;
    if (rest != 0 && extendable_to >= need) length += need;
  }
  const uint64_t behind = length % CACHEFILES_DIO_BLOCK_SIZE;
  length -= behind;
  if (behind != 0 && length == 0) {
    k.fscache.stats.n_dio_misfit++;
    return static_cast<ssize_t>(before + behind);
  }
  auto from = static_cast<int64_t>(start);
  uint64_t room = length;
  const int error = cachefiles_prepare_object_write(k, object, cres.file, &from, &room, room, true);
  if (error < 0) return error;
  // The place is not moved along with the data.
  const ssize_t written = cachefiles_write(k, cres, part.start, part.pages.subspan(before, length));
  return written < 0 ? written : static_cast<ssize_t>(before) + written;
}

}  // namespace coldread
