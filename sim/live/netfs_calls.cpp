// A scenario's netfs calls: ioctls of the netfs module.
#include <sys/ioctl.h>

#include "sim/live/live_syscalls.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::live {
namespace {

constexpr uint32_t kWantCacheSize = 0x04;  // FSCACHE_ADV_WANT_CACHE_SIZE

static_assert(scenario::kSubrequestOndemand == COLDREAD_SUBREQUEST_ONDEMAND);
static_assert(scenario::kSubrequestCopyToCache == COLDREAD_SUBREQUEST_COPY_TO_CACHE);
static_assert(static_cast<uint32_t>(scenario::HoleMode::clear) == COLDREAD_HOLE_CLEAR);
static_assert(static_cast<uint32_t>(scenario::HoleMode::fail) == COLDREAD_HOLE_FAIL);
static_assert(static_cast<uint32_t>(player::Source::fill_with_zeroes) == COLDREAD_FILL_WITH_ZEROES);
static_assert(static_cast<uint32_t>(player::Source::invalid_read) == COLDREAD_INVALID_READ);

uint64_t address(const void* pointer) {
  return reinterpret_cast<uint64_t>(pointer);
}

// The module's numbers begin at 1.
uint32_t operation_number(int operation) {
  return static_cast<uint32_t>(operation + 1);
}

template <typename Call>
Call call_on(player::Target target) {
  Call call{};
  if (target.operation >= 0)
    call.operation = operation_number(target.operation);
  else
    call.cookie = static_cast<uint32_t>(target.cookie);
  return call;
}

}  // namespace

template <typename Argument>
int64_t LiveSyscalls::netfs(unsigned long request, Argument& argument) {
  return in_call(TaskState::in_call, [&] { return ::ioctl(netfs_, request, &argument); });
}

int64_t LiveSyscalls::acquire_volume(int volume) {
  const scenario::Volume& spec = scenario_.volumes[static_cast<size_t>(volume)];
  coldread_volume call{};
  call.volume = static_cast<uint32_t>(volume);
  call.key = address(spec.key.c_str());
  if (spec.cache) call.cache = address(spec.cache->c_str());
  call.coherency = address(spec.coherency.data());
  call.coherency_length = static_cast<uint32_t>(spec.coherency.size());
  return netfs(COLDREAD_ACQUIRE_VOLUME, call);
}

int64_t LiveSyscalls::relinquish_volume(int volume, std::span<const std::byte> coherency,
                                        bool invalidate) {
  coldread_volume call{};
  call.volume = static_cast<uint32_t>(volume);
  call.invalidate = invalidate;
  if (!coherency.empty()) call.coherency = address(coherency.data());
  return netfs(COLDREAD_RELINQUISH_VOLUME, call);
}

int64_t LiveSyscalls::acquire_cookie(int cookie) {
  const scenario::Cookie& spec = scenario_.cookies[static_cast<size_t>(cookie)];
  coldread_cookie call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.volume = static_cast<uint32_t>(spec.volume);
  call.advice = spec.want_cache_size ? kWantCacheSize : 0;
  call.key = address(spec.key.data());
  call.key_length = static_cast<uint32_t>(spec.key.size());
  call.aux = address(spec.aux.data());
  call.aux_length = static_cast<uint32_t>(spec.aux.size());
  call.object_size = spec.size;
  return netfs(COLDREAD_ACQUIRE_COOKIE, call);
}

int64_t LiveSyscalls::netfs_cookie(unsigned long request, int cookie, bool flag,
                                   uint64_t object_size, std::span<const std::byte> aux) {
  coldread_cookie_call call{};
  call.cookie = static_cast<uint32_t>(cookie);
  call.flag = flag;
  call.object_size = object_size;
  if (!aux.empty()) call.aux = address(aux.data());
  return netfs(request, call);
}

int64_t LiveSyscalls::relinquish_cookie(int cookie, bool retire) {
  return netfs_cookie(COLDREAD_RELINQUISH_COOKIE, cookie, retire);
}

int64_t LiveSyscalls::use_cookie(int cookie, bool will_modify) {
  return netfs_cookie(COLDREAD_USE_COOKIE, cookie, will_modify);
}

int64_t LiveSyscalls::unuse_cookie(int cookie, const player::ObjectUpdate& update) {
  return netfs_cookie(COLDREAD_UNUSE_COOKIE, cookie, update.object_size != nullptr,
                      update.object_size ? *update.object_size : 0, update.aux);
}

int64_t LiveSyscalls::update_cookie(int cookie, const player::ObjectUpdate& update) {
  return netfs_cookie(COLDREAD_UPDATE_COOKIE, cookie, update.object_size != nullptr,
                      update.object_size ? *update.object_size : 0, update.aux);
}

int64_t LiveSyscalls::invalidate(int cookie, const player::ObjectUpdate& update,
                                 bool direct_write) {
  return netfs_cookie(COLDREAD_INVALIDATE, cookie, direct_write,
                      update.object_size ? *update.object_size : 0, update.aux);
}

int64_t LiveSyscalls::resize(int cookie, uint64_t new_size) {
  return netfs_cookie(COLDREAD_RESIZE, cookie, false, new_size);
}

int64_t LiveSyscalls::note_page_release(int cookie) {
  return netfs_cookie(COLDREAD_NOTE_PAGE_RELEASE, cookie, false);
}

int64_t LiveSyscalls::begin_operation(int operation, int cookie, bool write) {
  coldread_operation call{};
  call.operation = operation_number(operation);
  call.cookie = static_cast<uint32_t>(cookie);
  call.write = write;
  return netfs(COLDREAD_BEGIN_OPERATION, call);
}

int64_t LiveSyscalls::end_operation(int operation) {
  coldread_operation call{};
  call.operation = operation_number(operation);
  return netfs(COLDREAD_END_OPERATION, call);
}

int64_t LiveSyscalls::prepare_read(player::Target target, uint64_t start, uint64_t length,
                                   int64_t i_size, uint32_t flags, player::PrepareResult* out) {
  auto call = call_on<coldread_prepare>(target);
  call.flags = flags;
  call.start = start;
  call.length = length;
  call.i_size = i_size;
  const int64_t result = netfs(COLDREAD_PREPARE_READ, call);
  if (result < 0) return result;
  out->source = static_cast<player::Source>(call.source);
  out->length = call.length;
  out->flags = call.flags;
  return result;
}

int64_t LiveSyscalls::cache_read(player::Target target, uint64_t start, std::span<std::byte> data,
                                 scenario::HoleMode hole, bool sync) {
  auto call = call_on<coldread_io>(target);
  call.hole = static_cast<uint32_t>(hole);
  call.sync = sync;
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  return netfs(COLDREAD_CACHE_READ, call);
}

int64_t LiveSyscalls::cache_write(player::Target target, uint64_t start,
                                  std::span<const std::byte> data, bool sync) {
  auto call = call_on<coldread_io>(target);
  call.sync = sync;
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  return netfs(COLDREAD_CACHE_WRITE, call);
}

int64_t LiveSyscalls::netfs_range(unsigned long request, coldread_range& call, player::Range range,
                                  player::Range* out) {
  call.start = range.start;
  call.length = range.length;
  const int64_t result = netfs(request, call);
  *out = {call.start, call.length};
  return result;
}

int64_t LiveSyscalls::prepare_write(player::Target target, player::Range range,
                                    uint64_t upper_length, int64_t i_size,
                                    bool no_space_allocated_yet, player::Range* out) {
  auto call = call_on<coldread_range>(target);
  call.limit = upper_length;
  call.i_size = i_size;
  call.no_space_allocated_yet = no_space_allocated_yet;
  return netfs_range(COLDREAD_PREPARE_WRITE, call, range, out);
}

int64_t LiveSyscalls::query_occupancy(player::Target target, player::Range range,
                                      uint64_t granularity, player::Range* out) {
  auto call = call_on<coldread_range>(target);
  call.limit = granularity;
  return netfs_range(COLDREAD_QUERY_OCCUPANCY, call, range, out);
}

int64_t LiveSyscalls::write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) {
  auto call = call_on<coldread_io>({cookie, -1});
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  return netfs(COLDREAD_WRITE_TO_CACHE, call);
}

int64_t LiveSyscalls::issue_write(player::Target target, uint64_t start,
                                  std::span<const std::byte> data, int64_t i_size,
                                  uint64_t extendable_to) {
  auto call = call_on<coldread_issue>(target);
  call.start = start;
  call.length = data.size();
  call.buffer = address(data.data());
  call.i_size = i_size;
  call.extendable_to = extendable_to;
  return netfs(COLDREAD_ISSUE_WRITE, call);
}

void LiveSyscalls::trust(int, uint64_t, uint64_t) {}

int64_t LiveSyscalls::cookie_size(int cookie) {
  coldread_cookie_call call{};
  call.cookie = static_cast<uint32_t>(cookie);
  const int64_t result = netfs(COLDREAD_COOKIE_SIZE, call);
  return result < 0 ? result : static_cast<int64_t>(call.object_size);
}

}  // namespace coldread::live
