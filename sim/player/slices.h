// How an on-demand netfs reads whole pages, piece by piece as the cache says where each is.
//
// Models the loop of EROFS' erofs_fscache_read_io_async() and of netfs' read requests: the same for
// a scenario's `read` and for a mount's readers.
#pragma once

#include <cerrno>
#include <cstdint>

#include "sim/player/syscalls.h"

namespace coldread::player {

// Asks prepare(position, length, PrepareResult*) where the data from `position` on is, gets that
// much with take(position, result), and goes on behind it until `end`. Both answer 0 or more, or a
// negative errno, which ends it. 0, that errno, or -EIO: the cache said nothing sensible.
template <typename Prepare, typename Take>
int64_t read_slice(uint64_t position, uint64_t end, Prepare prepare, Take take) {
  while (position < end) {
    PrepareResult found;
    if (const int64_t ret = prepare(position, end - position, &found); ret < 0) return ret;
    if (found.length == 0 || found.length > end - position) return -EIO;
    if (const int64_t ret = take(position, found); ret < 0) return ret;
    position += found.length;
  }
  return 0;
}

}  // namespace coldread::player
