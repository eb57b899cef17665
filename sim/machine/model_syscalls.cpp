// The calls of a task, each on the modelled kernel.
#include "sim/machine/model_syscalls.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "kernelmodel/fscache/proc.h"
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

}  // namespace

int64_t ModelSyscalls::finish(int64_t result) {
  machine_.leave_if_killed(machine_.process_of(task_));
  return result;
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
  machine_.scheduler_.current()->signal_pending = false;  // what came before was handled before
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
    const WaitReason reason{"poll", "the next message", true, false, false, queue};
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

int64_t ModelSyscalls::choose(int64_t count) {
  if (!machine_.options_.daemon_choices) return 0;
  return static_cast<int64_t>(machine_.scheduler_.choose(static_cast<size_t>(count)));
}

void ModelSyscalls::crash() {
  kill(static_cast<int>(machine_.scenario_.tasks[task_].process));
}

int64_t ModelSyscalls::disk(const std::string&, const scenario::DiskCall& call,
                            std::span<const std::byte> contents, nlohmann::json* entry) {
  using scenario::DiskOperation;
  FreezableStore& freezable = machine_.freezable_store_;
  switch (call.operation) {
    case DiskOperation::freeze:
      return finish(freezable.freeze());
    case DiskOperation::thaw:
      return finish(freezable.thaw());
    case DiskOperation::remount:
      if (freezable.is_frozen()) return finish(-EBUSY);
      break;
    case DiskOperation::look:
      break;
    default:
      freezable.want_write();
  }
  return finish(change_disk(machine_.kernel_, machine_.store_, machine_.cache_directory_, call,
                            contents, entry));
}

int64_t ModelSyscalls::inject(uint32_t errors) {
  machine_.kernel_.cachefiles.error_injection_state = errors;
  return finish(0);
}

int64_t ModelSyscalls::fail_allocation(Allocation what) {
  machine_.kernel_.fails_next = what;
  return finish(0);
}

int64_t ModelSyscalls::fault(const scenario::Fault& fault) {
  machine_.faulty_store_.plan(fault.call, fault.result, fault.nth, fault.times);
  return finish(0);
}

int64_t ModelSyscalls::proc(const std::string& file, std::string* text) {
  return finish(fscache_proc_read(machine_.kernel_, file, text));
}

void ModelSyscalls::sleep_ms(uint64_t ms) {
  const TimeNs deadline = machine_.scheduler_.now() + ms * kNsPerMs;
  while (machine_.scheduler_.now() < deadline && !machine_.scheduler_.current()->fatal_signal) {
    machine_.scheduler_.block_until(
        {"sleep", "", true, false, false, machine_.scheduler_.current()}, deadline);
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
  machine_.scheduler_.wait_quiet({"settle", "", true, false, false, machine_.scheduler_.current()});
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
  if (machine_.setup_turn_ == machine_.scenario_.setup_turns) {
    if (machine_.pauses_) machine_.scheduler_.pause();
    machine_.scheduler_.setup_done();
  }
  machine_.setup_wait_.wake_up_all();
}

uint64_t ModelSyscalls::next_sequence() {
  return machine_.sequence_++;
}

}  // namespace coldread::sim
