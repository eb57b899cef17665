#include "sim/machine/netfs_table.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/machine/netfs_read.h"

namespace coldread::sim {
namespace {

netfs_read_from_hole hole_of(scenario::HoleMode hole) {
  switch (hole) {
    case scenario::HoleMode::ignore:
      return NETFS_READ_HOLE_IGNORE;
    case scenario::HoleMode::clear:
      return NETFS_READ_HOLE_CLEAR;
    case scenario::HoleMode::fail:
      break;
  }
  return NETFS_READ_HOLE_FAIL;
}

const int64_t* size_of(const player::ObjectUpdate& update, int64_t* size) {
  if (update.object_size == nullptr) return nullptr;
  *size = static_cast<int64_t>(*update.object_size);
  return size;
}

// `length` bytes of `data` in whole pages, zeros around them.
std::span<const std::byte> in_pages(uint64_t start, std::span<const std::byte> data,
                                    player::AlignedBuffer& buffer) {
  const uint64_t skip = start % kPageSize;
  const std::span<std::byte> pages = buffer.get(round_up(skip + data.size(), kPageSize));
  std::fill(pages.begin(), pages.end(), std::byte{0});
  std::copy(data.begin(), data.end(), pages.begin() + static_cast<ptrdiff_t>(skip));
  return pages;
}

}  // namespace

CookieHandle NetfsTable::find_cookie(uint32_t cookie) const {
  const auto found = cookies_.find(cookie);
  return found == cookies_.end() ? CookieHandle() : found->second.handle;
}

int64_t NetfsTable::acquire_volume(uint32_t volume, const VolumeSpec& spec) {
  int error = 0;
  const VolumeHandle handle =
      fscache_acquire_volume(kernel_, spec.key, spec.cache, spec.coherency, &error);
  if (!handle) return error;
  if (volumes_.try_emplace(volume, handle).second) return 0;
  fscache_relinquish_volume(kernel_, handle, {}, false);
  return -EEXIST;
}

int64_t NetfsTable::relinquish_volume(uint32_t volume, std::span<const std::byte> coherency,
                                      bool invalidate) {
  const auto found = volumes_.find(volume);
  if (found == volumes_.end()) return -EBADF;
  const VolumeHandle handle = found->second;
  volumes_.erase(found);
  fscache_relinquish_volume(kernel_, handle, coherency, invalidate);
  return 0;
}

int64_t NetfsTable::acquire_cookie(uint32_t cookie, const CookieSpec& spec) {
  const auto volume = volumes_.find(spec.volume);
  if (volume == volumes_.end()) return -EBADF;
  const CookieHandle handle =
      fscache_acquire_cookie(kernel_, volume->second, spec.advice, spec.key, spec.aux,
                             static_cast<int64_t>(spec.object_size));
  if (!handle) return -ENOMEM;
  if (cookies_.try_emplace(cookie, Cookie{handle, 0}).second) return 0;
  fscache_relinquish_cookie(kernel_, handle, false);
  return -EEXIST;
}

int64_t NetfsTable::relinquish_cookie(uint32_t cookie, bool retire) {
  const auto found = cookies_.find(cookie);
  if (found == cookies_.end()) return -EBADF;
  const CookieHandle handle = found->second.handle;
  cookies_.erase(found);
  fscache_relinquish_cookie(kernel_, handle, retire);
  return 0;
}

int64_t NetfsTable::use_cookie(uint32_t cookie, bool will_modify) {
  const auto found = cookies_.find(cookie);
  if (found == cookies_.end()) return -EBADF;
  found->second.uses++;
  fscache_use_cookie(kernel_, found->second.handle, will_modify);
  return 0;
}

int64_t NetfsTable::unuse_cookie(uint32_t cookie, const player::ObjectUpdate& update) {
  const auto found = cookies_.find(cookie);
  if (found == cookies_.end()) return -EBADF;
  found->second.uses--;
  int64_t size = 0;
  fscache_unuse_cookie(kernel_, found->second.handle, update.aux, size_of(update, &size));
  return 0;
}

int64_t NetfsTable::update_cookie(uint32_t cookie, const player::ObjectUpdate& update) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  int64_t size = 0;
  fscache_update_cookie(kernel_, handle, update.aux, size_of(update, &size));
  return 0;
}

int64_t NetfsTable::invalidate(uint32_t cookie, const player::ObjectUpdate& update,
                               bool direct_write) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  int64_t size = 0;
  size_of(update, &size);
  fscache_invalidate(kernel_, handle, update.aux, size, direct_write ? FSCACHE_INVAL_DIO_WRITE : 0);
  return 0;
}

int64_t NetfsTable::resize(uint32_t cookie, uint64_t new_size) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  fscache_resize_cookie(kernel_, handle, static_cast<int64_t>(new_size));
  return 0;
}

int64_t NetfsTable::note_page_release(uint32_t cookie) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  fscache_note_page_release(handle);
  return 0;
}

int64_t NetfsTable::cookie_size(uint32_t cookie) {
  const CookieHandle handle = find_cookie(cookie);
  return handle ? handle->object_size : -EBADF;
}

int64_t NetfsTable::begin(uint32_t cookie, bool write, netfs_cache_resources& cres) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  return write ? fscache_begin_write_operation(kernel_, cres, handle)
               : fscache_begin_read_operation(kernel_, cres, handle);
}

int64_t NetfsTable::begin_operation(uint32_t operation, uint32_t cookie, bool write) {
  netfs_cache_resources cres;
  if (const int64_t error = begin(cookie, write, cres); error < 0) return error;
  if (operations_.try_emplace(operation, cres).second) return 0;
  fscache_end_operation(kernel_, cres);
  return -EEXIST;
}

int64_t NetfsTable::end_operation(uint32_t operation) {
  const auto found = operations_.find(operation);
  if (found == operations_.end()) return -EBADF;
  netfs_cache_resources cres = found->second;
  operations_.erase(found);
  fscache_end_operation(kernel_, cres);
  return 0;
}

// Calls `io` with the resources of the operation named, or with those of one of its own.
template <typename Io>
int64_t NetfsTable::with_operation(player::Target target, bool write, Io io) {
  if (target.operation >= 0) {
    const auto number = static_cast<uint32_t>(target.operation);
    const auto found = operations_.find(number);
    if (found == operations_.end()) return -EBADF;
    netfs_cache_resources shared = found->second;
    const int64_t result = io(shared);
    // Somebody else may have ended it meanwhile.
    if (const auto still = operations_.find(number);
        still != operations_.end() && still->second.debug_id == shared.debug_id)
      still->second = shared;
    return result;
  }
  netfs_cache_resources cres;
  int64_t ret = begin(static_cast<uint32_t>(target.cookie), write, cres);
  if (ret < 0) return ret;
  ret = io(cres);
  fscache_end_operation(kernel_, cres);
  return ret;
}

int64_t NetfsTable::prepare_read(player::Target target, player::Range range, int64_t i_size,
                                 uint32_t flags, player::PrepareResult* out) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    return netfs_prepare_read(kernel_, cres, range.start, range.length, i_size, flags, out);
  });
}

int64_t NetfsTable::cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                               scenario::HoleMode hole, bool sync) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    return netfs_cache_read(kernel_, cres, start, data, hole_of(hole), sync);
  });
}

int64_t NetfsTable::cache_write(player::Target target, uint64_t start,
                                std::span<const std::byte> data, player::AlignedBuffer& pages) {
  return with_operation(target, true, [&](netfs_cache_resources& cres) -> int64_t {
    auto from = static_cast<int64_t>(start);
    uint64_t length = data.size();
    const int error = cachefiles_prepare_write(kernel_, cres, &from, &length, length, true);
    if (error < 0) return error;
    const uint64_t skip = static_cast<uint64_t>(from) - round_down(start, kPageSize);
    return cachefiles_write(kernel_, cres, from,
                            in_pages(start, data, pages).subspan(skip, length));
  });
}

int64_t NetfsTable::prepare_write(player::Target target, player::Range range, uint64_t upper_length,
                                  bool no_space_allocated_yet, player::Range* out) {
  return with_operation(target, true, [&](netfs_cache_resources& cres) {
    auto start = static_cast<int64_t>(range.start);
    *out = range;
    const int ret = cachefiles_prepare_write(kernel_, cres, &start, &out->length, upper_length,
                                             no_space_allocated_yet);
    out->start = static_cast<uint64_t>(start);
    return int64_t{ret};
  });
}

int64_t NetfsTable::query_occupancy(player::Target target, player::Range range,
                                    uint64_t granularity, player::Range* out) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    int64_t start = 0;
    const int ret = cachefiles_query_occupancy(kernel_, cres, static_cast<int64_t>(range.start),
                                               range.length, granularity, &start, &out->length);
    out->start = static_cast<uint64_t>(start);
    return int64_t{ret};
  });
}

int64_t NetfsTable::write_to_cache(uint32_t cookie, uint64_t start, std::span<const std::byte> data,
                                   player::AlignedBuffer& pages) {
  const CookieHandle handle = find_cookie(cookie);
  if (!handle) return -EBADF;
  return fscache_write_to_cache(kernel_, handle, static_cast<int64_t>(start), data.size(),
                                in_pages(start, data, pages));
}

int64_t NetfsTable::issue_write(player::Target target, uint64_t start,
                                std::span<const std::byte> data, int64_t i_size,
                                uint64_t extendable_to, player::AlignedBuffer& pages) {
  if (!kernel_.profile.has(Change::netfs_issue_write)) return -EOPNOTSUPP;
  const std::span<const std::byte> whole = in_pages(start, data, pages);
  const netfs_write_subrequest part{static_cast<int64_t>(start), data.size(),
                                    whole.subspan(start % kPageSize)};
  return with_operation(target, true, [&](netfs_cache_resources& cres) {
    return int64_t{cachefiles_issue_write(kernel_, cres, part, i_size, extendable_to)};
  });
}

void NetfsTable::release_all() {
  while (!operations_.empty()) end_operation(operations_.begin()->first);
  while (!cookies_.empty()) {
    const auto& [number, cookie] = *cookies_.begin();
    for (int uses = cookie.uses; uses > 0; uses--)
      fscache_unuse_cookie(kernel_, cookie.handle, {}, nullptr);
    relinquish_cookie(number, false);
  }
  while (!volumes_.empty()) relinquish_volume(volumes_.begin()->first, {}, false);
}

}  // namespace coldread::sim
