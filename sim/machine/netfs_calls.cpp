// The netfs' calls of a task, each on the modelled kernel.
#include "sim/machine/machine.h"
#include "sim/machine/model_syscalls.h"
#include "sim/machine/netfs_read.h"

namespace coldread::sim {
namespace {

uint32_t number(int index) {
  return static_cast<uint32_t>(index);
}

}  // namespace

int64_t ModelSyscalls::acquire_volume(int volume) {
  const scenario::Volume& spec = machine_.scenario_.volumes[number(volume)];
  return finish(machine_.netfs_.acquire_volume(
      number(volume),
      {spec.key, spec.cache ? std::string_view(*spec.cache) : std::string_view(), spec.coherency}));
}

int64_t ModelSyscalls::relinquish_volume(int volume, std::span<const std::byte> coherency,
                                         bool invalidate) {
  return finish(machine_.netfs_.relinquish_volume(number(volume), coherency, invalidate));
}

int64_t ModelSyscalls::acquire_cookie(int cookie) {
  const scenario::Cookie& spec = machine_.scenario_.cookies[number(cookie)];
  return finish(machine_.netfs_.acquire_cookie(
      number(cookie), {static_cast<uint32_t>(spec.volume),
                       spec.want_cache_size ? FSCACHE_ADV_WANT_CACHE_SIZE : uint8_t{0}, spec.key,
                       spec.aux, spec.size}));
}

int64_t ModelSyscalls::relinquish_cookie(int cookie, bool retire) {
  return finish(machine_.netfs_.relinquish_cookie(number(cookie), retire));
}

int64_t ModelSyscalls::use_cookie(int cookie, bool will_modify) {
  return finish(machine_.netfs_.use_cookie(number(cookie), will_modify));
}

int64_t ModelSyscalls::unuse_cookie(int cookie, const player::ObjectUpdate& update) {
  return finish(machine_.netfs_.unuse_cookie(number(cookie), update));
}

int64_t ModelSyscalls::update_cookie(int cookie, const player::ObjectUpdate& update) {
  return finish(machine_.netfs_.update_cookie(number(cookie), update));
}

int64_t ModelSyscalls::invalidate(int cookie, const player::ObjectUpdate& update,
                                  bool direct_write) {
  return finish(machine_.netfs_.invalidate(number(cookie), update, direct_write));
}

int64_t ModelSyscalls::resize(int cookie, uint64_t new_size) {
  return finish(machine_.netfs_.resize(number(cookie), new_size));
}

int64_t ModelSyscalls::note_page_release(int cookie) {
  return finish(machine_.netfs_.note_page_release(number(cookie)));
}

int64_t ModelSyscalls::unload() {
  return finish(fscache_exit(machine_.kernel_));
}

int64_t ModelSyscalls::begin_operation(int operation, int cookie, bool write) {
  return finish(machine_.netfs_.begin_operation(number(operation), number(cookie), write));
}

int64_t ModelSyscalls::end_operation(int operation) {
  return finish(machine_.netfs_.end_operation(number(operation)));
}

int64_t ModelSyscalls::prepare_read(player::Target target, uint64_t start, uint64_t length,
                                    int64_t i_size, uint32_t flags, player::PrepareResult* out) {
  return finish(machine_.netfs_.prepare_read(target, {start, length}, i_size, flags, out));
}

int64_t ModelSyscalls::cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                                  scenario::HoleMode hole, bool sync) {
  return finish(machine_.netfs_.cache_read(target, start, data, hole, sync));
}

int64_t ModelSyscalls::cache_write(player::Target target, uint64_t start,
                                   std::span<const std::byte> data, bool) {
  return finish(machine_.netfs_.cache_write(target, start, data, pages_));
}

int64_t ModelSyscalls::prepare_write(player::Target target, player::Range range,
                                     uint64_t upper_length, int64_t, bool no_space_allocated_yet,
                                     player::Range* out) {
  return finish(
      machine_.netfs_.prepare_write(target, range, upper_length, no_space_allocated_yet, out));
}

int64_t ModelSyscalls::query_occupancy(player::Target target, player::Range range,
                                       uint64_t granularity, player::Range* out) {
  return finish(machine_.netfs_.query_occupancy(target, range, granularity, out));
}

int64_t ModelSyscalls::write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) {
  return finish(machine_.netfs_.write_to_cache(number(cookie), start, data, pages_));
}

int64_t ModelSyscalls::issue_write(player::Target target, uint64_t start,
                                   std::span<const std::byte> data, int64_t i_size,
                                   uint64_t extendable_to) {
  return finish(machine_.netfs_.issue_write(target, start, data, i_size, extendable_to, pages_));
}

void ModelSyscalls::trust(int cookie, uint64_t start, uint64_t length) {
  const CookieHandle handle = machine_.netfs_.find_cookie(number(cookie));
  if (handle) netfs_trust(machine_.kernel_, handle, start, length);
}

int64_t ModelSyscalls::cookie_size(int cookie) {
  return finish(machine_.netfs_.cookie_size(number(cookie)));
}

}  // namespace coldread::sim
