// The netfs' calls of a task, each on the modelled kernel.
#include <algorithm>
#include <cerrno>

#include "sim/machine/machine.h"
#include "sim/machine/model_syscalls.h"

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

}  // namespace

bool ModelSyscalls::has_cookie(int cookie) const {
  return static_cast<bool>(machine_.cookies_[static_cast<size_t>(cookie)].handle);
}

int64_t ModelSyscalls::acquire_volume(int volume) {
  const scenario::Volume& spec = machine_.scenario_.volumes[static_cast<size_t>(volume)];
  int error = 0;
  const VolumeHandle handle = fscache_acquire_volume(
      machine_.kernel_, spec.key, spec.cache ? *spec.cache : "", spec.coherency, &error);
  if (handle) machine_.volumes_[static_cast<size_t>(volume)] = handle;
  return finish(error);
}

int64_t ModelSyscalls::relinquish_volume(int volume, std::span<const std::byte> coherency,
                                         bool invalidate) {
  VolumeHandle& handle = machine_.volumes_[static_cast<size_t>(volume)];
  if (!handle) return finish(-EBADF);
  fscache_relinquish_volume(machine_.kernel_, std::exchange(handle, {}), coherency, invalidate);
  return finish(0);
}

int64_t ModelSyscalls::acquire_cookie(int cookie) {
  const scenario::Cookie& spec = machine_.scenario_.cookies[static_cast<size_t>(cookie)];
  const VolumeHandle volume = machine_.volumes_[spec.volume];
  if (!volume) return finish(-EBADF);
  const CookieHandle handle = fscache_acquire_cookie(
      machine_.kernel_, volume, spec.want_cache_size ? FSCACHE_ADV_WANT_CACHE_SIZE : uint8_t{0},
      spec.key, spec.aux, static_cast<int64_t>(spec.size));
  if (!handle) return finish(-ENOMEM);
  machine_.cookies_[static_cast<size_t>(cookie)] = {handle, 0};
  return finish(0);
}

int64_t ModelSyscalls::relinquish_cookie(int cookie, bool retire) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Machine::CookieState& state = machine_.cookies_[static_cast<size_t>(cookie)];
  fscache_relinquish_cookie(machine_.kernel_, std::exchange(state, {}).handle, retire);
  return finish(0);
}

int64_t ModelSyscalls::use_cookie(int cookie, bool will_modify) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Machine::CookieState& state = machine_.cookies_[static_cast<size_t>(cookie)];
  state.uses++;
  fscache_use_cookie(machine_.kernel_, state.handle, will_modify);
  return finish(0);
}

int64_t ModelSyscalls::unuse_cookie(int cookie, const player::ObjectUpdate& update) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Machine::CookieState& state = machine_.cookies_[static_cast<size_t>(cookie)];
  state.uses--;
  int64_t size = 0;
  fscache_unuse_cookie(machine_.kernel_, state.handle, update.aux, size_of(update, &size));
  return finish(0);
}

int64_t ModelSyscalls::update_cookie(int cookie, const player::ObjectUpdate& update) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  int64_t size = 0;
  fscache_update_cookie(machine_.kernel_, machine_.cookies_[static_cast<size_t>(cookie)].handle,
                        update.aux, size_of(update, &size));
  return finish(0);
}

int64_t ModelSyscalls::invalidate(int cookie, const player::ObjectUpdate& update,
                                  bool direct_write) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  int64_t size = 0;
  size_of(update, &size);
  fscache_invalidate(machine_.kernel_, machine_.cookies_[static_cast<size_t>(cookie)].handle,
                     update.aux, size, direct_write ? FSCACHE_INVAL_DIO_WRITE : 0);
  return finish(0);
}

int64_t ModelSyscalls::resize(int cookie, uint64_t new_size) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  fscache_resize_cookie(machine_.kernel_, machine_.cookies_[static_cast<size_t>(cookie)].handle,
                        static_cast<int64_t>(new_size));
  return finish(0);
}

int64_t ModelSyscalls::note_page_release(int cookie) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  fscache_note_page_release(machine_.cookies_[static_cast<size_t>(cookie)].handle);
  return finish(0);
}

int64_t ModelSyscalls::begin_on_cookie(int cookie, bool write, netfs_cache_resources& cres) {
  if (!has_cookie(cookie)) return -EBADF;
  const CookieHandle handle = machine_.cookies_[static_cast<size_t>(cookie)].handle;
  return write ? fscache_begin_write_operation(machine_.kernel_, cres, handle)
               : fscache_begin_read_operation(machine_.kernel_, cres, handle);
}

int64_t ModelSyscalls::begin_operation(int operation, int cookie, bool write) {
  netfs_cache_resources cres;
  if (const int64_t error = begin_on_cookie(cookie, write, cres); error < 0) return finish(error);
  Machine::OperationState& state = machine_.operations_[static_cast<size_t>(operation)];
  if (state.begun) {
    fscache_end_operation(machine_.kernel_, cres);
    return finish(-EEXIST);
  }
  state = {cres, true};
  return finish(0);
}

int64_t ModelSyscalls::end_operation(int operation) {
  Machine::OperationState& state = machine_.operations_[static_cast<size_t>(operation)];
  if (!state.begun) return finish(-EBADF);
  state.begun = false;
  netfs_cache_resources cres = state.cres;
  fscache_end_operation(machine_.kernel_, cres);
  return finish(0);
}

// Calls `io` with the resources of the operation named, or with those of one of its own.
template <typename Io>
int64_t ModelSyscalls::with_operation(player::Target target, bool write, Io io) {
  if (target.operation >= 0) {
    Machine::OperationState& state = machine_.operations_[static_cast<size_t>(target.operation)];
    return finish(state.begun ? io(state.cres) : -EBADF);
  }
  netfs_cache_resources cres;
  int64_t ret = begin_on_cookie(target.cookie, write, cres);
  if (ret < 0) return finish(ret);
  ret = io(cres);
  fscache_end_operation(machine_.kernel_, cres);
  return finish(ret);
}

int64_t ModelSyscalls::prepare_read(player::Target target, uint64_t start, uint64_t length,
                                    int64_t i_size, uint32_t flags, player::PrepareResult* out) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    uint32_t bits = 0;
    if ((flags & scenario::kSubrequestOndemand) != 0) bits |= 1u << NETFS_SREQ_ONDEMAND;
    if ((flags & scenario::kSubrequestCopyToCache) != 0) bits |= 1u << NETFS_SREQ_COPY_TO_CACHE;
    uint64_t shortened = length;
    const netfs_io_source source = cachefiles_prepare_read(
        machine_.kernel_, cres, static_cast<int64_t>(start), &shortened, i_size, &bits, 0);
    *out = {source_of(source), shortened, 0};
    if ((bits & 1u << NETFS_SREQ_ONDEMAND) != 0) out->flags |= scenario::kSubrequestOndemand;
    if ((bits & 1u << NETFS_SREQ_COPY_TO_CACHE) != 0)
      out->flags |= scenario::kSubrequestCopyToCache;
    return int64_t{0};
  });
}

int64_t ModelSyscalls::cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                                  scenario::HoleMode hole, bool sync) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    std::fill(data.begin(), data.end(), std::byte{0});  // as fresh pages are
    return int64_t{cachefiles_read(machine_.kernel_, cres, static_cast<int64_t>(start), data,
                                   hole_of(hole), sync)};
  });
}

// `length` bytes of `data` in whole pages, zeros around them.
std::span<const std::byte> ModelSyscalls::in_pages(uint64_t start,
                                                   std::span<const std::byte> data) {
  const uint64_t skip = start % kPageSize;
  const std::span<std::byte> pages = pages_.get(round_up(skip + data.size(), kPageSize));
  std::fill(pages.begin(), pages.end(), std::byte{0});
  std::copy(data.begin(), data.end(), pages.begin() + static_cast<ptrdiff_t>(skip));
  return pages;
}

int64_t ModelSyscalls::cache_write(player::Target target, uint64_t start,
                                   std::span<const std::byte> data, bool) {
  return with_operation(target, true, [&](netfs_cache_resources& cres) -> int64_t {
    Kernel& k = machine_.kernel_;
    auto from = static_cast<int64_t>(start);
    uint64_t length = data.size();
    const int error = cachefiles_prepare_write(k, cres, &from, &length, length, true);
    if (error < 0) return error;
    const uint64_t skip = static_cast<uint64_t>(from) - round_down(start, kPageSize);
    return cachefiles_write(k, cres, from, in_pages(start, data).subspan(skip, length));
  });
}

int64_t ModelSyscalls::prepare_write(player::Target target, player::Range range,
                                     uint64_t upper_length, int64_t, bool no_space_allocated_yet,
                                     player::Range* out) {
  return with_operation(target, true, [&](netfs_cache_resources& cres) {
    auto start = static_cast<int64_t>(range.start);
    *out = range;
    const int ret = cachefiles_prepare_write(machine_.kernel_, cres, &start, &out->length,
                                             upper_length, no_space_allocated_yet);
    out->start = static_cast<uint64_t>(start);
    return int64_t{ret};
  });
}

int64_t ModelSyscalls::query_occupancy(player::Target target, player::Range range,
                                       uint64_t granularity, player::Range* out) {
  return with_operation(target, false, [&](netfs_cache_resources& cres) {
    int64_t start = 0;
    const int ret =
        cachefiles_query_occupancy(machine_.kernel_, cres, static_cast<int64_t>(range.start),
                                   range.length, granularity, &start, &out->length);
    out->start = static_cast<uint64_t>(start);
    return int64_t{ret};
  });
}

int64_t ModelSyscalls::write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  const std::span<const std::byte> pages = in_pages(start, data);
  return finish(fscache_write_to_cache(machine_.kernel_,
                                       machine_.cookies_[static_cast<size_t>(cookie)].handle,
                                       static_cast<int64_t>(start), data.size(), pages));
}

int64_t ModelSyscalls::issue_write(player::Target target, uint64_t start,
                                   std::span<const std::byte> data, int64_t i_size,
                                   uint64_t extendable_to) {
  if (!machine_.kernel_.profile.has(Change::netfs_issue_write)) return finish(-EOPNOTSUPP);
  const std::span<const std::byte> pages = in_pages(start, data).subspan(start % kPageSize);
  const netfs_write_subrequest part{static_cast<int64_t>(start), data.size(), pages};
  return with_operation(target, true, [&](netfs_cache_resources& cres) {
    return int64_t{cachefiles_issue_write(machine_.kernel_, cres, part, i_size, extendable_to)};
  });
}

void ModelSyscalls::trust(int cookie, uint64_t start, uint64_t length) {
  if (!has_cookie(cookie)) return;
  Kernel& k = machine_.kernel_;
  const ObjectHandle object = machine_.cookies_[static_cast<size_t>(cookie)].handle->cache_priv;
  if (!object || object->file == 0 || k.store.was_written(object->file, start, length)) return;
  k.log.note(ReportKind::unwritten_data, "a reader was given bytes that nobody wrote");
}

int64_t ModelSyscalls::cookie_size(int cookie) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  return finish(machine_.cookies_[static_cast<size_t>(cookie)].handle->object_size);
}

}  // namespace coldread::sim
