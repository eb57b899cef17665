// Reading the backing file, and looking for holes in it.
//
// Models fs/cachefiles/io.c; writing is in io_write.cpp. Direct I/O completes before it returns
// here: the asynchronous half of the kernel's has no effect of its own.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernelmodel/cachefiles/internal.h"
#include "kernelmodel/cachefiles/trace.h"
#include "kernelmodel/kernel/tracepoint.h"

namespace coldread {

int64_t cachefiles_seek(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t offset,
                        Whence whence) {
  const int64_t found = k.store.seek(file, offset, whence);
  if (found >= 0 && file == object->file) object->file_pos = found;
  return found;
}

bool cachefiles_begin_operation(Kernel& k, netfs_cache_resources& cres, fscache_want_state want) {
  const ObjectHandle object = cachefiles_cres_object(cres);
  if (cres.file == 0) {
    cres.begun = true;
    if (object->file != 0) {
      object->lock.lock();
      if (cres.file == 0 && object->file != 0) {
        cres.file = object->file;
        k.store.get(cres.file);
      }
      object->lock.unlock();
    }
  }
  if (cres.file == 0 && want != FSCACHE_WANT_PARAMS) {
    pr_err(k, "failed to get cres->file");
    return false;
  }
  return true;
}

void cachefiles_end_operation(Kernel& k, netfs_cache_resources& cres) {
  if (cres.file != 0) k.store.put(cres.file);
  cres.file = 0;
  fscache_end_cookie_access(k, cres.cookie, "END   io     ");
}

int64_t cachefiles_look(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t offset,
                        Whence whence) {
  const int error = cachefiles_inject_read_error(k);
  return error != 0 ? error : cachefiles_seek(k, object, file, offset, whence);
}

namespace {

struct Answer {
  netfs_io_source source;
  const char* why;
};

// What one look at the file says about [start, start + *len), which it may shorten.
struct Occupancy {
  Answer answer;
  bool miss = false;  // the daemon or the netfs has to provide the range
};

Occupancy look_at_file(Kernel& k, ObjectHandle object, InodeNumber file, int64_t start,
                       uint64_t* len, int64_t i_size) {
  const uint64_t block = object->volume->cache->bsize;
  const auto begin = static_cast<uint64_t>(start);
  const Answer seek_error{NETFS_DOWNLOAD_FROM_SERVER, "seek-error"};

  const int64_t data = cachefiles_look(k, object, file, begin, Whence::data);
  if (data == -ENXIO) return {{NETFS_DOWNLOAD_FROM_SERVER, "seek-enxio"}, true};
  if (data < 0) {
    trace_cachefiles_io_error(k, object, file, static_cast<int>(data), "seek");
    return {seek_error};
  }
  if (static_cast<uint64_t>(data) >= begin + *len) {
    return {{NETFS_DOWNLOAD_FROM_SERVER, "found-hole"}, true};
  }
  if (data > start) {
    *len = round_up(static_cast<uint64_t>(data), block) - begin;
    return {{NETFS_DOWNLOAD_FROM_SERVER, "found-part"}, true};
  }
  const int64_t hole = cachefiles_look(k, object, file, begin, Whence::hole);
  if (hole < 0) {
    trace_cachefiles_io_error(k, object, file, static_cast<int>(hole), "seek");
    return {seek_error};
  }
  const auto end = static_cast<uint64_t>(hole);
  if (end < begin + *len) {
    const bool at_eof = begin + *len >= static_cast<uint64_t>(i_size);
    *len = (at_eof ? round_up(end, block) : round_down(end, block)) - begin;
  }
  return {{NETFS_READ_FROM_CACHE, "have-data "}};
}

// Looks, asks the daemon once if something is missing and it may be asked, and looks again.
Answer probe(Kernel& k, ObjectHandle object, InodeNumber file, int64_t start, uint64_t* len,
             int64_t i_size, uint32_t* flags) {
  while (true) {
    const Occupancy found = look_at_file(k, object, file, start, len, i_size);
    if (!found.miss) return found.answer;
    *flags |= 1u << NETFS_SREQ_COPY_TO_CACHE;
    if ((*flags & 1u << NETFS_SREQ_ONDEMAND) == 0) return found.answer;
    if (cachefiles_ondemand_read(k, object, static_cast<uint64_t>(start), *len) != 0) {
      return {NETFS_INVALID_READ, found.answer.why};
    }
    *flags &= ~(1u << NETFS_SREQ_ONDEMAND);
  }
}

void trace_prep_read(Kernel& k, ObjectHandle object, const Answer& answer, int64_t start,
                     uint64_t len, uint32_t flags, InodeNumber file, uint64_t netfs_inode) {
  if (!k.trace.enabled()) return;
  if (!k.profile.has(Change::prepare_ondemand_read_split)) {
    // A request of the netfs library and its number in it: an on-demand netfs has neither.
    trace_emit(k, "cachefiles_prep_read", "R=%08x[%u] %s %s f=%02x s=%llx %zx ni=%x B=%x", 0u, 0u,
               netfs_source_name(answer.source), answer.why, flags,
               static_cast<unsigned long long>(start), static_cast<size_t>(len),
               static_cast<unsigned>(netfs_inode), static_cast<unsigned>(file));
    return;
  }
  trace_emit(k, "cachefiles_prep_read", "o=%08x %s %s f=%02x s=%llx %zx ni=%x B=%x",
             object ? object->debug_id : 0, netfs_source_name(answer.source), answer.why, flags,
             static_cast<unsigned long long>(start), static_cast<size_t>(len),
             static_cast<unsigned>(netfs_inode), static_cast<unsigned>(file));
}

}  // namespace

netfs_io_source cachefiles_prepare_read(Kernel& k, netfs_cache_resources& cres, int64_t start,
                                        uint64_t* len, int64_t i_size, uint32_t* flags,
                                        uint64_t netfs_inode) {
  // The series' v8 had its hook in the read itself: its netfs did not ask here.
  if (!k.profile.has(Change::ondemand_read_in_prepare_read) &&
      (*flags & 1u << NETFS_SREQ_ONDEMAND) != 0) {
    return NETFS_READ_FROM_CACHE;
  }
  const CookieHandle cookie = cres.cookie;
  ObjectHandle object;
  Answer answer{NETFS_DOWNLOAD_FROM_SERVER, ""};
  const bool no_data = start < i_size && cookie->flags.test(FSCACHE_COOKIE_NO_DATA_TO_READ);
  if (no_data) *flags |= 1u << NETFS_SREQ_COPY_TO_CACHE;
  if (start >= i_size) {
    answer = {NETFS_FILL_WITH_ZEROES, "after-eof "};
  } else if (no_data && (*flags & 1u << NETFS_SREQ_ONDEMAND) == 0) {
    answer.why = "no-data   ";
  } else if (cres.file == 0 &&
             (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_READ) || cres.file == 0)) {
    answer.why = "no-file   ";
  } else {
    object = cachefiles_cres_object(cres);
    answer = probe(k, object, cres.file, start, len, i_size, flags);
  }
  trace_prep_read(k, object, answer, start, *len, *flags, cres.file, netfs_inode);
  return answer.source;
}

namespace {

// Finds where data begins in the range a reader asked for: the bytes to zero before it, or an
// errno.
ssize_t skip_hole(Kernel& k, ObjectHandle object, InodeNumber file, uint64_t begin, uint64_t length,
                  bool may_ask) {
  const int64_t data = cachefiles_look(k, object, file, begin, Whence::data);
  if (data < 0 && data != -ENXIO) return data;
  if (data == -ENXIO || static_cast<uint64_t>(data) >= begin + length) {
    // The series' v8: only here, where all of the range is missing, was the daemon asked.
    if (may_ask) {
      const int error = cachefiles_ondemand_read(k, object, begin, length);
      return error != 0 ? error : skip_hole(k, object, file, begin, length, false);
    }
    return -ENODATA;
  }
  return data - static_cast<int64_t>(begin);
}

}  // namespace

ssize_t cachefiles_read(Kernel& k, netfs_cache_resources& cres, int64_t start,
                        std::span<std::byte> data, netfs_read_from_hole read_hole, bool sync) {
  if (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_READ)) return -ENOBUFS;
  k.fscache.stats.n_reads++;
  const ObjectHandle object = cachefiles_cres_object(cres);
  const InodeNumber file = cres.file;
  const auto begin = static_cast<uint64_t>(start);

  size_t skipped = 0;
  if (read_hole != NETFS_READ_HOLE_IGNORE) {
    const bool may_ask =
        !k.profile.has(Change::ondemand_read_in_prepare_read) && read_hole == NETFS_READ_HOLE_FAIL;
    const ssize_t gap = skip_hole(k, object, file, begin, data.size(), may_ask);
    if (gap == -ENODATA && read_hole == NETFS_READ_HOLE_CLEAR) {
      std::memset(data.data(), 0, data.size());
      return sync ? 0 : static_cast<ssize_t>(data.size());
    }
    if (gap < 0) return gap;
    skipped = static_cast<size_t>(gap);
    std::memset(data.data(), 0, skipped);
  }

  if (!has_memory_for(k, Allocation::read)) return -ENOMEM;
  const uint64_t from = begin + skipped;
  cachefiles_grab_object(k, object, "GET ioreq");
  if (k.trace.enabled()) {
    trace_emit(k, "cachefiles_read", "o=%08x B=%x s=%llx l=%zx", object->debug_id,
               static_cast<unsigned>(file), static_cast<unsigned long long>(from),
               data.size() - skipped);
  }
  ssize_t ret = cachefiles_inject_read_error(k);
  if (ret == 0) ret = k.store.read(file, from, data.subspan(skipped));
  if (ret < 0) {
    trace_cachefiles_io_error(k, object, file, static_cast<int>(ret), "read");
  } else if (sync) {
    ret = 0;
  } else if (object->cookie->inval_counter != cres.inval_counter) {
    ret = -ESTALE;
  }
  cachefiles_put_object(k, object, "PUT ioreq");
  return ret;
}

int cachefiles_query_occupancy(Kernel& k, netfs_cache_resources& cres, int64_t start, uint64_t len,
                               uint64_t granularity, int64_t* data_start, uint64_t* data_len) {
  *data_start = -1;
  *data_len = 0;
  if (!fscache_wait_for_operation(k, cres, FSCACHE_WANT_READ)) return -ENOBUFS;
  const ObjectHandle object = cachefiles_cres_object(cres);
  const uint64_t block = std::max<uint64_t>(object->volume->cache->bsize, granularity);
  const auto begin = static_cast<uint64_t>(start);

  const int64_t data = cachefiles_look(k, object, cres.file, begin, Whence::data);
  if (data < 0) return data == -ENXIO ? -ENODATA : -ENOBUFS;
  const uint64_t from = round_up(static_cast<uint64_t>(data), block);
  if (from >= begin + len) return -ENODATA;
  const int64_t hole =
      cachefiles_look(k, object, cres.file, static_cast<uint64_t>(data), Whence::hole);
  if (hole < 0) return hole == -ENXIO ? -ENODATA : -ENOBUFS;
  const uint64_t to = round_down(static_cast<uint64_t>(hole), block);
  if (to <= from) return -ENODATA;
  *data_start = static_cast<int64_t>(from);
  *data_len = to > begin + len ? len : to - from;
  return 0;
}

}  // namespace coldread
