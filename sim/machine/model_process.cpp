// What a task does with its process' files and with the process itself, on the modelled kernel.
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "sim/machine/machine.h"
#include "sim/machine/model_syscalls.h"

namespace coldread::sim {
namespace {

// Where bad memory seems to begin. The kernel is told that it faults and never looks.
alignas(4096) std::byte unreachable[1];

int fcntl_number(scenario::FcntlCommand command) {
  switch (command) {
    case scenario::FcntlCommand::getfd:
      return F_GETFD;
    case scenario::FcntlCommand::setfd:
      return F_SETFD;
    case scenario::FcntlCommand::getfl:
      return F_GETFL;
    case scenario::FcntlCommand::setfl:
      return F_SETFL;
  }
  return -1;
}

}  // namespace

UserBuffer user_buffer(std::span<std::byte> data) {
  return {data.data(), data.size(), data.data() == unreachable};
}

UserData user_data(std::span<const std::byte> data) {
  return {data, data.data() == unreachable};
}

std::span<std::byte> ModelSyscalls::bad_memory(uint64_t size) {
  return {unreachable, size};
}

int64_t ModelSyscalls::dup(int fd) {
  return finish(sys_dup(machine_.kernel_, fd));
}

int64_t ModelSyscalls::fork(int child) {
  auto& forked = machine_.children_[static_cast<size_t>(child)];
  forked = std::make_unique<Machine::Child>(machine_.kernel_);
  dup_fd(machine_.kernel_, forked->files);
  return finish(0);
}

// The caller waits for the child to go, so it may as well close the child's files itself.
int64_t ModelSyscalls::end_child(int child) {
  return finish(machine_.end_child(static_cast<size_t>(child)));
}

int64_t ModelSyscalls::send_fd(int fd, int process) {
  const FileHandle file = fget(machine_.kernel_, fd);
  if (!file) return finish(-EBADF);
  Machine::Process& receiver = *machine_.processes_[static_cast<size_t>(process)];
  if (receiver.gone) {
    fput(machine_.kernel_, file);
    return finish(-EPIPE);
  }
  receiver.inbox.push_back(file);
  receiver.inbox_wait.wake_up_all();
  return finish(0);
}

int64_t ModelSyscalls::receive_fd() {
  Machine::Process& process = machine_.process_of(task_);
  process.inbox_wait.wait_event_killable([&] { return !process.inbox.empty(); });
  finish(0);
  const FileHandle file = process.inbox.front();
  process.inbox.pop_front();
  const int fd = get_unused_fd_flags(machine_.kernel_, 0);
  if (fd < 0)
    fput(machine_.kernel_, file);
  else
    fd_install(machine_.kernel_, fd, file);
  return finish(fd);
}

int64_t ModelSyscalls::chdir(const char* path) {
  Machine::Process& process = machine_.process_of(task_);
  InodeNumber directory = 0;
  const int error = machine_.store_.path_lookup(path, process.cwd, &directory);
  if (error < 0) return finish(error);
  machine_.store_.put(std::exchange(process.cwd, directory));
  for (Task* task : process.tasks) task->cwd = directory;
  return finish(0);
}

int64_t ModelSyscalls::limit_files(uint64_t nofile) {
  machine_.process_of(task_).files.rlimit = static_cast<int>(nofile);
  return finish(0);
}

int64_t ModelSyscalls::signal(int task) {
  Task* const target = machine_.tasks_[static_cast<size_t>(task)]->task;
  if (target == nullptr) return finish(-ESRCH);
  signal_wake_up(machine_.kernel_, *target);
  return finish(0);
}

int64_t ModelSyscalls::pread(int fd, std::span<std::byte> data, uint64_t offset) {
  return finish(sys_pread(machine_.kernel_, fd, user_buffer(data), static_cast<int64_t>(offset)));
}

int64_t ModelSyscalls::fsync(int fd) {
  return finish(sys_fsync(machine_.kernel_, fd));
}

int64_t ModelSyscalls::ftruncate(int fd, int64_t length) {
  return finish(sys_ftruncate(machine_.kernel_, fd, length));
}

int64_t ModelSyscalls::fallocate(int fd, int64_t offset, int64_t length) {
  return finish(sys_fallocate(machine_.kernel_, fd, offset, length));
}

int64_t ModelSyscalls::mmap(int fd, uint64_t length, uint32_t prot) {
  return finish(sys_mmap(machine_.kernel_, fd, length, (prot & PROT_WRITE) != 0));
}

int64_t ModelSyscalls::fcntl(int fd, scenario::FcntlCommand command, uint64_t argument) {
  return finish(sys_fcntl(machine_.kernel_, fd, fcntl_number(command), argument));
}

}  // namespace coldread::sim
