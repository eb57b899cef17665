// The calls of a task, each on the modelled kernel.
#include "sim/machine/model_syscalls.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "sim/machine/disk_calls.h"
#include "sim/machine/machine.h"

namespace coldread::sim {
namespace {

constexpr uint32_t kLargeFile = 0100000;  // O_LARGEFILE, which a 64-bit kernel adds by itself

int whence_number(scenario::LseekWhence whence) {
  switch (whence) {
    case scenario::LseekWhence::set:
      return SEEK_SET;
    case scenario::LseekWhence::cur:
      return SEEK_CUR;
    case scenario::LseekWhence::end:
      return SEEK_END;
    case scenario::LseekWhence::data:
      return SEEK_DATA;
    case scenario::LseekWhence::hole:
      return SEEK_HOLE;
  }
  return -1;
}

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

}  // namespace

int64_t ModelSyscalls::finish(int64_t result) {
  machine_.leave_if_killed(machine_.process_of(task_));
  return result;
}

bool ModelSyscalls::has_cookie(int cookie) const {
  return static_cast<bool>(machine_.cookies_[static_cast<size_t>(cookie)].handle);
}

int64_t ModelSyscalls::open_device(int flags, bool capable) {
  Kernel& k = machine_.kernel_;
  Task& task = *k.scheduler.current();
  const int fd = get_unused_fd_flags(k, static_cast<uint32_t>(flags));
  if (fd < 0) return finish(fd);
  FileHandle file;
  task.capable = capable;
  const int error = cachefiles_daemon_open(k, static_cast<uint32_t>(flags) | kLargeFile, &file);
  task.capable = true;
  if (error < 0) {
    put_unused_fd(k, fd);
    return finish(error);
  }
  fd_install(k, fd, file);
  return finish(fd);
}

int64_t ModelSyscalls::close(int fd) {
  return finish(close_fd(machine_.kernel_, fd));
}

int64_t ModelSyscalls::read(int fd, std::span<std::byte> data) {
  return finish(sys_read(machine_.kernel_, fd, user_buffer(data)));
}

int64_t ModelSyscalls::write(int fd, std::span<const std::byte> data) {
  return finish(sys_write(machine_.kernel_, fd, user_data(data)));
}

int64_t ModelSyscalls::pwrite(int fd, std::span<const std::byte> data, uint64_t offset) {
  return finish(sys_pwrite(machine_.kernel_, fd, user_data(data), static_cast<int64_t>(offset)));
}

int64_t ModelSyscalls::lseek(int fd, int64_t offset, scenario::LseekWhence whence) {
  return finish(sys_lseek(machine_.kernel_, fd, offset, whence_number(whence)));
}

int64_t ModelSyscalls::ioctl(int fd, uint32_t request, uint64_t argument) {
  return finish(sys_ioctl(machine_.kernel_, fd, request, argument));
}

int64_t ModelSyscalls::poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) {
  if (until_quiet) return finish(poll_until_quiet(fd, events));
  const TimeNs deadline =
      timeout_ms < 0 ? kForever
                     : machine_.scheduler_.now() + static_cast<uint64_t>(timeout_ms) * kNsPerMs;
  return finish(sys_poll(machine_.kernel_, fd, events, timeout_ms == 0 ? 0 : deadline));
}

// Sleeps on the device and on the end of other tasks; once all of these have ended, until nothing
// else can happen.
int64_t ModelSyscalls::poll_until_quiet(int fd, uint32_t events) {
  Kernel& k = machine_.kernel_;
  const FileHandle file = fget(k, fd);
  if (!file) return POLLNVAL;
  WaitQueue* queue = file->ops->poll_queue(k, file);
  WaitQueue::Entry ready(*k.scheduler.current());
  WaitQueue::Entry ended(*k.scheduler.current());
  machine_.serving_++;
  machine_.task_end_wait_.wake_up_all();  // one task fewer to wait for
  int64_t mask = 0;
  while (true) {
    queue->add(ready);
    machine_.task_end_wait_.add(ended);
    mask = file->ops->poll(k, file) & events;
    if (mask != 0 || k.scheduler.current()->fatal_signal) break;
    if (ready.woken() || ended.woken()) continue;
    const WaitReason reason{"poll", "the next message", true, false};
    if (machine_.serving_ < machine_.unfinished_) {
      k.scheduler.block(reason);
    } else if (!machine_.scheduler_.block_until_quiet(reason, Quiet::now)) {
      break;
    }
  }
  queue->remove(ready);
  machine_.task_end_wait_.remove(ended);
  machine_.serving_--;
  fput(k, file);
  return mask;
}

int64_t ModelSyscalls::acquire_volume(int volume) {
  const scenario::Volume& spec = machine_.scenario_.volumes[static_cast<size_t>(volume)];
  int error = 0;
  const VolumeHandle handle = fscache_acquire_volume(
      machine_.kernel_, spec.key, spec.cache ? *spec.cache : "", spec.coherency, &error);
  if (handle) machine_.volumes_[static_cast<size_t>(volume)] = handle;
  return finish(error);
}

int64_t ModelSyscalls::relinquish_volume(int volume, bool invalidate) {
  VolumeHandle& handle = machine_.volumes_[static_cast<size_t>(volume)];
  if (!handle) return finish(-EBADF);
  fscache_relinquish_volume(machine_.kernel_, std::exchange(handle, {}), {}, invalidate);
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

int64_t ModelSyscalls::unuse_cookie(int cookie, const uint64_t* object_size) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Machine::CookieState& state = machine_.cookies_[static_cast<size_t>(cookie)];
  state.uses--;
  const int64_t size = object_size != nullptr ? static_cast<int64_t>(*object_size) : 0;
  fscache_unuse_cookie(machine_.kernel_, state.handle, {},
                       object_size != nullptr ? &size : nullptr);
  return finish(0);
}

int64_t ModelSyscalls::invalidate(int cookie, uint64_t new_size) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  fscache_invalidate(machine_.kernel_, machine_.cookies_[static_cast<size_t>(cookie)].handle, {},
                     static_cast<int64_t>(new_size));
  return finish(0);
}

int64_t ModelSyscalls::resize(int cookie, uint64_t new_size) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  fscache_resize_cookie(machine_.kernel_, machine_.cookies_[static_cast<size_t>(cookie)].handle,
                        static_cast<int64_t>(new_size));
  return finish(0);
}

int64_t ModelSyscalls::prepare_read(int cookie, uint64_t start, uint64_t length, int64_t i_size,
                                    uint32_t flags, player::PrepareResult* out) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Kernel& k = machine_.kernel_;
  netfs_cache_resources cres;
  const int error =
      fscache_begin_read_operation(k, cres, machine_.cookies_[static_cast<size_t>(cookie)].handle);
  if (error < 0) return finish(error);
  uint32_t bits = 0;
  if ((flags & scenario::kSubrequestOndemand) != 0) bits |= 1u << NETFS_SREQ_ONDEMAND;
  if ((flags & scenario::kSubrequestCopyToCache) != 0) bits |= 1u << NETFS_SREQ_COPY_TO_CACHE;
  uint64_t shortened = length;
  const netfs_io_source source =
      cachefiles_prepare_read(k, cres, static_cast<int64_t>(start), &shortened, i_size, &bits, 0);
  fscache_end_operation(k, cres);
  *out = {source_of(source), shortened, 0};
  if ((bits & 1u << NETFS_SREQ_ONDEMAND) != 0) out->flags |= scenario::kSubrequestOndemand;
  if ((bits & 1u << NETFS_SREQ_COPY_TO_CACHE) != 0) out->flags |= scenario::kSubrequestCopyToCache;
  return finish(0);
}

int64_t ModelSyscalls::cache_read(int cookie, uint64_t start, std::span<std::byte> data,
                                  scenario::HoleMode hole) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Kernel& k = machine_.kernel_;
  netfs_cache_resources cres;
  const int error =
      fscache_begin_read_operation(k, cres, machine_.cookies_[static_cast<size_t>(cookie)].handle);
  if (error < 0) return finish(error);
  const ssize_t ret = cachefiles_read(k, cres, static_cast<int64_t>(start), data, hole_of(hole));
  // A reader that trusts the cache for all of its range must not be shown what nobody wrote.
  if (ret > 0 && hole == scenario::HoleMode::fail && cres.file != 0 &&
      !k.store.was_written(cres.file, start, static_cast<uint64_t>(ret))) {
    k.log.note(ReportKind::unwritten_data, "a reader was given bytes that nobody wrote");
  }
  fscache_end_operation(k, cres);
  return finish(ret);
}

int64_t ModelSyscalls::cache_write(int cookie, uint64_t start, std::span<const std::byte> data) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  Kernel& k = machine_.kernel_;
  netfs_cache_resources cres;
  int64_t ret =
      fscache_begin_write_operation(k, cres, machine_.cookies_[static_cast<size_t>(cookie)].handle);
  if (ret < 0) return finish(ret);
  auto from = static_cast<int64_t>(start);
  uint64_t length = data.size();
  ret = cachefiles_prepare_write(k, cres, &from, &length, length, true);
  if (ret == 0) ret = cachefiles_write(k, cres, from, data);
  fscache_end_operation(k, cres);
  return finish(ret);
}

int64_t ModelSyscalls::cookie_size(int cookie) {
  if (!has_cookie(cookie)) return finish(-EBADF);
  return finish(machine_.cookies_[static_cast<size_t>(cookie)].handle->object_size);
}

int64_t ModelSyscalls::disk(const std::string&, const scenario::DiskCall& call,
                            std::span<const std::byte> contents, nlohmann::json* entry) {
  return finish(change_disk(machine_.kernel_, machine_.store_, machine_.cache_directory_, call,
                            contents, entry));
}

int64_t ModelSyscalls::inject(uint32_t errors) {
  machine_.kernel_.cachefiles.error_injection_state = errors;
  return finish(0);
}

void ModelSyscalls::sleep_ms(uint64_t ms) {
  const TimeNs deadline = machine_.scheduler_.now() + ms * kNsPerMs;
  while (machine_.scheduler_.now() < deadline && !machine_.scheduler_.current()->fatal_signal) {
    machine_.scheduler_.block_until({"sleep", "", true, false}, deadline);
  }
  finish(0);
}

void ModelSyscalls::barrier(int barrier) {
  Machine::BarrierState& state = machine_.barriers_[static_cast<size_t>(barrier)];
  const unsigned parties = machine_.scenario_.barriers[static_cast<size_t>(barrier)].parties;
  state.arrived++;
  if (state.arrived == parties) state.queue->wake_up_all();
  state.queue->wait_event_killable([&] { return state.arrived >= parties; });
  finish(0);
}

void ModelSyscalls::settle() {
  machine_.scheduler_.wait_quiet({"settle", "", true, false});
  finish(0);
}

int64_t ModelSyscalls::kill(int process) {
  Machine::Process& victim = *machine_.processes_[static_cast<size_t>(process)];
  victim.killed = true;
  for (Task* task : victim.tasks) machine_.scheduler_.kill(*task);
  return finish(0);
}

void ModelSyscalls::await_setup_turn(int turn) {
  machine_.setup_wait_.wait_event_killable([&] { return machine_.setup_turn_ >= turn; });
  finish(0);
}

void ModelSyscalls::end_setup_turn(int turn) {
  machine_.setup_turn_ = turn + 1;
  machine_.setup_wait_.wake_up_all();
}

uint64_t ModelSyscalls::next_sequence() {
  return machine_.sequence_++;
}

}  // namespace coldread::sim
