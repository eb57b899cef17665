// What the netfs library and a cache share: sources, flags and the resources of one operation.
//
// Models the part of include/linux/netfs.h that cachefiles sees. Plain data: no thread rules but
// those of the operation that it belongs to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernelmodel/kernel/pool.h"
#include "kernelmodel/ports/backing_store.h"

namespace coldread {

struct fscache_cookie;

// enum netfs_io_source, by meaning: the numbers differ between kernels.
enum netfs_io_source : uint8_t {
  NETFS_SOURCE_UNKNOWN,
  NETFS_FILL_WITH_ZEROES,
  NETFS_DOWNLOAD_FROM_SERVER,
  NETFS_READ_FROM_CACHE,
  NETFS_INVALID_READ,
};
const char* netfs_source_name(netfs_io_source source);  // the tracepoints': "ZERO", "DOWN" ...

// What a cache read makes of missing data before the first byte that is there.
enum netfs_read_from_hole : uint8_t {
  NETFS_READ_HOLE_IGNORE,  // does not look
  NETFS_READ_HOLE_CLEAR,   // zeroes
  NETFS_READ_HOLE_FAIL,    // zeroes, but -ENODATA if all of the range is missing
};

// Flags of a subrequest, as bit numbers.
inline constexpr unsigned NETFS_SREQ_COPY_TO_CACHE = 0;
inline constexpr unsigned NETFS_SREQ_ONDEMAND = 5;

// struct netfs_cache_resources: from fscache_begin_read_operation() to fscache_end_operation(). In
// between it keeps an access to the cookie and a reference to the file. One task's.
struct netfs_cache_resources {
  Handle<fscache_cookie> cookie;  // cache_priv
  InodeNumber file = 0;           // cache_priv2; 0 until the object's file is known
  bool begun = false;             // ops != NULL
  uint32_t debug_id = 0;
  uint32_t inval_counter = 0;
};

// struct netfs_io_subrequest of a write: `pages` holds its data, and zeros behind it up to the end
// of the last page.
struct netfs_write_subrequest {
  int64_t start = 0;
  uint64_t length = 0;
  std::span<const std::byte> pages;
};

}  // namespace coldread
