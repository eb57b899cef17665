// What a process does with its files beside a daemon's work: hands them on, shares them with a
// child, and asks of them what they are not made for.
#include <cerrno>

#include "sim/player/player.h"

namespace coldread::player {

using scenario::Step;
using scenario::Verb;

int64_t TaskPlayer::execute_process(const Step& step) {
  switch (step.verb) {
    case Verb::dup:
      return find_fd(step.fd) ? name_fd(step.as, syscalls_.dup(fd_)) : 0;
    case Verb::fork:
      return syscalls_.fork(step.child);
    case Verb::end_child:
      return syscalls_.end_child(step.child);
    case Verb::send_fd:
      return find_fd(step.fd) ? syscalls_.send_fd(fd_, step.process) : 0;
    case Verb::receive_fd:
      return name_fd(step.as, syscalls_.receive_fd());
    case Verb::chdir:
      return expand_text(step) ? syscalls_.chdir(text_.c_str()) : 0;
    case Verb::limit:
      return syscalls_.limit_files(step.argument);
    case Verb::signal:
      return syscalls_.signal(step.task);
    default:
      return execute_misuse(step);
  }
}

// Calls that most files of the cache refuse.
int64_t TaskPlayer::execute_misuse(const Step& step) {
  if (!find_fd(step.fd)) return 0;
  switch (step.verb) {
    case Verb::ioctl:
      return syscalls_.ioctl(fd_, step.request, step.argument);
    case Verb::pread:
      return syscalls_.pread(fd_, memory(step, step.length), step.offset);
    case Verb::fsync:
      return syscalls_.fsync(fd_);
    case Verb::ftruncate:
      return syscalls_.ftruncate(fd_, static_cast<int64_t>(step.length));
    case Verb::fallocate:
      return syscalls_.fallocate(fd_, static_cast<int64_t>(step.offset),
                                 static_cast<int64_t>(step.length));
    case Verb::mmap:
      return syscalls_.mmap(fd_, step.length, step.flags);
    case Verb::fcntl:
      return syscalls_.fcntl(fd_, step.fcntl, step.argument);
    default:
      return -ENOSYS;
  }
}

// Remembers what a call brought.
int64_t TaskPlayer::name_fd(const std::string& name, int64_t fd) {
  if (fd < 0) return fd;
  const std::lock_guard guard(process_.lock);
  process_.fds[name] = static_cast<int>(fd);
  return fd;
}

}  // namespace coldread::player
