// The netfs' ioctls, from the calling process' memory to the table and back.
#include "fuse/mount/netfs_file.h"

#include <linux/fuse.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fuse/host/process_memory.h"

namespace coldread::fuse {
namespace {

constexpr size_t kLongestName = kPageSize;  // bytes of a key, auxiliary data, a cache's name

// What the module takes for an operation of the call's own is 0.
template <typename Arguments>
player::Target target_of(const Arguments& call) {
  if (call.operation != 0) return {-1, static_cast<int>(call.operation)};
  return {static_cast<int>(call.cookie), -1};
}

}  // namespace

void NetfsFile::open(Request& request) {
  opens_++;
  if (!request.open({0, FOPEN_DIRECT_IO | FOPEN_STREAM})) opens_--;
}

void NetfsFile::release(Request& request) {
  if (--opens_ == 0) table_.release_all();
  request.error(0);
}

void NetfsFile::ioctl(Request& request) {
  const size_t size = _IOC_SIZE(request.command);
  if (_IOC_TYPE(request.command) != COLDREAD_IOC || size > sizeof(Arguments)) {
    request.error(ENOTTY);
    return;
  }
  const auto call = calls_.emplace(calls_.end());
  call->thread = static_cast<pid_t>(request.pid);
  call->command = request.command;
  const std::span<const std::byte> in = request.data.current();
  if (!in.empty()) std::memcpy(&call->arguments, in.data(), std::min(in.size(), size));
  const int64_t result = dispatch(*call);
  if (result < 0) {
    request.error(static_cast<int>(-result));
  } else {
    const bool reads = (_IOC_DIR(request.command) & _IOC_READ) != 0;
    request.ioctl(static_cast<int>(result),
                  std::as_bytes(std::span(&call->arguments, 1)).first(reads ? size : 0));
  }
  calls_.erase(call);
}

int64_t NetfsFile::dispatch(Call& call) {
  switch (call.command) {
    case COLDREAD_ACQUIRE_VOLUME:
    case COLDREAD_RELINQUISH_VOLUME:
      return on_volume(call);
    case COLDREAD_ACQUIRE_COOKIE:
      return acquire_cookie(call);
    case COLDREAD_RELINQUISH_COOKIE:
    case COLDREAD_USE_COOKIE:
    case COLDREAD_UNUSE_COOKIE:
    case COLDREAD_UPDATE_COOKIE:
    case COLDREAD_INVALIDATE:
    case COLDREAD_RESIZE:
    case COLDREAD_COOKIE_SIZE:
    case COLDREAD_NOTE_PAGE_RELEASE:
      return on_cookie(call);
    case COLDREAD_BEGIN_OPERATION:
    case COLDREAD_END_OPERATION:
      return on_operation(call);
    case COLDREAD_PREPARE_READ:
      return prepare_read(call.arguments.prepare);
    case COLDREAD_PREPARE_WRITE:
    case COLDREAD_QUERY_OCCUPANCY:
      return on_range(call);
    case COLDREAD_CACHE_READ:
    case COLDREAD_CACHE_WRITE:
    case COLDREAD_WRITE_TO_CACHE:
      return on_data(call);
    case COLDREAD_ISSUE_WRITE:
      return issue_write(call);
    case COLDREAD_RESET:
      table_.release_all();
      return 0;
    default:
      return -ENOTTY;
  }
}

// --- volumes, cookies, operations ---------------------------------------------------------------

int64_t NetfsFile::on_volume(Call& call) {
  const coldread_volume& volume = call.arguments.volume;
  if (volume.coherency_length > kLongestName) return -EINVAL;
  const size_t length = volume.coherency != 0 ? volume.coherency_length : 0;
  if (copy_in(call, volume.coherency, length, call.bytes) < 0) return -EFAULT;
  if (call.command == COLDREAD_RELINQUISH_VOLUME)
    return table_.relinquish_volume(volume.volume, call.bytes, volume.invalidate != 0);
  if (copy_string_in(call, volume.key, call.key) < 0) return -EFAULT;
  if (volume.cache != 0 && copy_string_in(call, volume.cache, call.cache) < 0) return -EFAULT;
  return table_.acquire_volume(volume.volume, {call.key, call.cache, call.bytes});
}

int64_t NetfsFile::acquire_cookie(Call& call) {
  const coldread_cookie& cookie = call.arguments.cookie;
  if (cookie.key_length > kLongestName || cookie.aux_length > kLongestName || cookie.advice > 255)
    return -EINVAL;
  if (copy_in(call, cookie.key, cookie.key_length, call.bytes) < 0 ||
      copy_in(call, cookie.aux, cookie.aux_length, call.aux) < 0)
    return -EFAULT;
  return table_.acquire_cookie(cookie.cookie, {cookie.volume, static_cast<uint8_t>(cookie.advice),
                                               call.bytes, call.aux, cookie.object_size});
}

int64_t NetfsFile::on_cookie(Call& call) {
  coldread_cookie_call& cookie = call.arguments.on_cookie;
  const CookieHandle handle = table_.find_cookie(cookie.cookie);
  if (!handle) return -EBADF;
  switch (call.command) {
    case COLDREAD_RELINQUISH_COOKIE:
      return table_.relinquish_cookie(cookie.cookie, cookie.flag != 0);
    case COLDREAD_USE_COOKIE:
      return table_.use_cookie(cookie.cookie, cookie.flag != 0);
    case COLDREAD_RESIZE:
      return table_.resize(cookie.cookie, cookie.object_size);
    case COLDREAD_NOTE_PAGE_RELEASE:
      return table_.note_page_release(cookie.cookie);
    case COLDREAD_COOKIE_SIZE:
      cookie.object_size = static_cast<uint64_t>(handle->object_size);
      return 0;
    default:
      return update(call, handle);
  }
}

// These may bring new auxiliary data, as long as the old.
int64_t NetfsFile::update(Call& call, CookieHandle handle) {
  const coldread_cookie_call& cookie = call.arguments.on_cookie;
  const size_t length = cookie.aux != 0 ? handle->aux_len : 0;
  if (copy_in(call, cookie.aux, length, call.aux) < 0) return -EFAULT;
  const uint64_t size = cookie.object_size;
  const player::ObjectUpdate update{call.aux, cookie.flag != 0 ? &size : nullptr};
  if (call.command == COLDREAD_UNUSE_COOKIE) return table_.unuse_cookie(cookie.cookie, update);
  if (call.command == COLDREAD_UPDATE_COOKIE) return table_.update_cookie(cookie.cookie, update);
  return table_.invalidate(cookie.cookie, {call.aux, &size}, cookie.flag != 0);
}

int64_t NetfsFile::on_operation(const Call& call) {
  const coldread_operation& operation = call.arguments.operation;
  if (call.command == COLDREAD_END_OPERATION) return table_.end_operation(operation.operation);
  if (operation.operation == 0) return -EINVAL;
  return table_.begin_operation(operation.operation, operation.cookie, operation.write != 0);
}

// --- reads and writes ---------------------------------------------------------------------------

int64_t NetfsFile::prepare_read(coldread_prepare& call) {
  player::PrepareResult found;
  const int64_t result = table_.prepare_read(target_of(call), {call.start, call.length},
                                             call.i_size, call.flags, &found);
  call.source = static_cast<uint32_t>(found.source);
  call.length = found.length;
  call.flags = found.flags;
  return result;
}

int64_t NetfsFile::on_range(Call& call) {
  coldread_range& range = call.arguments.range;
  const player::Range asked{range.start, range.length};
  player::Range found = asked;
  const int64_t result = call.command == COLDREAD_QUERY_OCCUPANCY
                             ? table_.query_occupancy(target_of(range), asked, range.limit, &found)
                             : table_.prepare_write(target_of(range), asked, range.limit,
                                                    range.no_space_allocated_yet != 0, &found);
  range.start = found.start;
  range.length = found.length;
  return result;
}

int64_t NetfsFile::on_data(Call& call) {
  const coldread_io& io = call.arguments.io;
  if (io.length > COLDREAD_MAX_IO || io.hole > COLDREAD_HOLE_FAIL) return -EINVAL;
  const std::span<std::byte> data = call.data.get(io.length);
  if (call.command != COLDREAD_CACHE_READ) {
    if (copy_in(call, io.buffer, data) < 0) return -EFAULT;
    return call.command == COLDREAD_CACHE_WRITE
               ? table_.cache_write(target_of(io), io.start, data, call.pages)
               : table_.write_to_cache(io.cookie, io.start, data, call.pages);
  }
  const int64_t result = table_.cache_read(target_of(io), io.start, data,
                                           static_cast<scenario::HoleMode>(io.hole), io.sync != 0);
  const auto copy_out = [&] {
    return offload(errands_,
                   [&call, &io, data] { return write_memory(call.thread, io.buffer, data); });
  };
  const int error = tape_.ask("copy out", copy_out, io.buffer, io.length);
  return error < 0 && result >= 0 ? error : result;
}

int64_t NetfsFile::issue_write(Call& call) {
  const coldread_issue& issue = call.arguments.issue;
  if (issue.length > COLDREAD_MAX_IO) return -EINVAL;
  const std::span<std::byte> data = call.data.get(issue.length);
  if (copy_in(call, issue.buffer, data) < 0) return -EFAULT;
  return table_.issue_write(target_of(issue), issue.start, data, issue.i_size, issue.extendable_to,
                            call.pages);
}

// --- the calling process' memory ----------------------------------------------------------------

int NetfsFile::copy_in(const Call& call, uint64_t address, std::span<std::byte> to) {
  if (to.empty()) return 0;
  const auto copy = [&] {
    return offload(errands_, [&] { return read_memory(call.thread, address, to); });
  };
  Tape::Copied copied{to};
  return tape_.ask_for(copied, "copy in", copy, address, to.size());
}

int NetfsFile::copy_in(const Call& call, uint64_t address, size_t length, Bytes& to) {
  to.resize(length);
  return copy_in(call, address, std::span(to));
}

// Page by page: what lies behind the string may not be readable.
int NetfsFile::copy_string_in(Call& call, uint64_t address, std::string& to) {
  while (to.size() < kLongestName) {
    const size_t read = to.size();
    const uint64_t from = address + read;
    to.resize(read + (kPageSize - from % kPageSize));
    if (copy_in(call, from, std::as_writable_bytes(std::span(to).subspan(read))) < 0)
      return -EFAULT;
    if (const size_t end = to.find('\0', read); end != std::string::npos) {
      to.resize(end);
      return 0;
    }
  }
  return -EINVAL;
}

}  // namespace coldread::fuse
