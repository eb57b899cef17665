// The cache's answers as the player knows them.
#include "sim/machine/netfs_read.h"

#include <algorithm>

namespace coldread::sim {
namespace {

player::Source source_of(netfs_io_source source) {
  switch (source) {
    case NETFS_FILL_WITH_ZEROES:
      return player::Source::fill_with_zeroes;
    case NETFS_DOWNLOAD_FROM_SERVER:
      return player::Source::download_from_server;
    case NETFS_READ_FROM_CACHE:
      return player::Source::read_from_cache;
    case NETFS_INVALID_READ:
      return player::Source::invalid_read;
    case NETFS_SOURCE_UNKNOWN:
      break;
  }
  return player::Source::unknown;
}

}  // namespace

int64_t netfs_prepare_read(Kernel& k, netfs_cache_resources& cres, uint64_t start, uint64_t length,
                           int64_t i_size, uint32_t flags, player::PrepareResult* out) {
  uint32_t bits = 0;
  if ((flags & scenario::kSubrequestOndemand) != 0) bits |= 1u << NETFS_SREQ_ONDEMAND;
  if ((flags & scenario::kSubrequestCopyToCache) != 0) bits |= 1u << NETFS_SREQ_COPY_TO_CACHE;
  uint64_t shortened = length;
  const netfs_io_source source =
      cachefiles_prepare_read(k, cres, static_cast<int64_t>(start), &shortened, i_size, &bits, 0);
  *out = {source_of(source), shortened, 0};
  if ((bits & 1u << NETFS_SREQ_ONDEMAND) != 0) out->flags |= scenario::kSubrequestOndemand;
  if ((bits & 1u << NETFS_SREQ_COPY_TO_CACHE) != 0) out->flags |= scenario::kSubrequestCopyToCache;
  return 0;
}

int64_t netfs_cache_read(Kernel& k, netfs_cache_resources& cres, uint64_t start,
                         std::span<std::byte> pages, netfs_read_from_hole hole, bool sync) {
  std::fill(pages.begin(), pages.end(), std::byte{0});
  return cachefiles_read(k, cres, static_cast<int64_t>(start), pages, hole, sync);
}

void netfs_trust(Kernel& k, CookieHandle cookie, uint64_t start, uint64_t length) {
  const ObjectHandle object = cookie->cache_priv;
  if (!object || object->file == 0 || k.store.was_written(object->file, start, length)) return;
  k.log.note(ReportKind::unwritten_data, "a reader was given bytes that nobody wrote");
}

}  // namespace coldread::sim
