// A netfs' reads on the modelled kernel: within an operation that has begun.
//
// Shared by scenarios' tasks and by the readers of a mount. Thread rules: on a fiber; may wait.
#pragma once

#include <span>

#include "kernelmodel/cachefiles/internal.h"
#include "sim/player/syscalls.h"

namespace coldread::sim {

// player::Syscalls::prepare_read(): 0, and *out says where [start, start + out->length) is.
int64_t netfs_prepare_read(Kernel& k, netfs_cache_resources& cres, uint64_t start, uint64_t length,
                           int64_t i_size, uint32_t flags, player::PrepareResult* out);

// cachefiles_read() into pages that are all zeros, as fresh ones.
int64_t netfs_cache_read(Kernel& k, netfs_cache_resources& cres, uint64_t start,
                         std::span<std::byte> pages, netfs_read_from_hole hole, bool sync);

// Notes ReportKind::unwritten_data if a reader takes bytes of the cookie's file that nobody wrote.
void netfs_trust(Kernel& k, CookieHandle cookie, uint64_t start, uint64_t length);

}  // namespace coldread::sim
