// Reading what the kernel has in memory, without waiting: such a read needs no helper thread, and
// the way to one and back takes longer than copying.
//
// Thread-safe. A file system that cannot tell (network ones, our own mount) answers "no".
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace coldread::fuse {

// All of it, or false: then nothing is known about `data`.
inline bool read_cached(int fd, std::span<std::byte> data, uint64_t offset) {
  const iovec part{data.data(), data.size()};
  const ssize_t got = preadv2(fd, &part, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  return got >= 0 && static_cast<size_t>(got) == data.size();
}

}  // namespace coldread::fuse
