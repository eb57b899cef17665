#include "fuse/supervisor/listener.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <thread>

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP  // since Linux 6.6
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace coldread::fuse {
namespace {

// The kernel copies its own sizes, which newer ones may extend (SECCOMP_GET_NOTIF_SIZES).
template <typename Known>
union Roomy {
  Known known;
  unsigned char room[512] = {};
};

}  // namespace

Listener::Listener(int fd) : fd_(fd) {
  // Caller and receiver take turns, so they may as well share a processor. Faster where it is
  // known.
  ioctl(fd_, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

Listener::~Listener() {
  close(fd_);
}

// Where there is no call an older kernel's RECV would wait for one, even if there never will be.
Listener::Received Listener::receive(seccomp_notif* call) const {
  pollfd waited{fd_, POLLIN, 0};
  if (poll(&waited, 1, 0) <= 0) return Received::nothing;
  if ((waited.revents & POLLIN) == 0) return Received::ended;
  Roomy<seccomp_notif> received;
  if (ioctl(fd_, SECCOMP_IOCTL_NOTIF_RECV, &received) < 0) return Received::nothing;
  *call = received.known;
  return Received::call;
}

bool Listener::wait(int stop) const {
  pollfd waited[] = {{fd_, POLLIN, 0}, {stop, POLLIN, 0}};
  while (poll(waited, 2, -1) < 0) {
  }
  return waited[1].revents == 0;
}

bool Listener::still_held(uint64_t id) const {
  return ioctl(fd_, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

void Listener::let_through(uint64_t id) const {
  Roomy<seccomp_notif_resp> response;
  response.known.id = id;
  response.known.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ioctl(fd_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void Listener::answer(uint64_t id, int64_t result) const {
  Roomy<seccomp_notif_resp> response;
  response.known.id = id;
  if (result < 0) {
    response.known.error = static_cast<int32_t>(result);
  } else {
    response.known.val = result;
  }
  ioctl(fd_, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

int Listener::add_fd(uint64_t id, int fd, std::optional<int> number, bool close_on_exec) const {
  seccomp_notif_addfd added{};
  added.id = id;
  added.srcfd = static_cast<uint32_t>(fd);
  added.newfd_flags = close_on_exec ? O_CLOEXEC : 0;
  if (number) {
    added.newfd = static_cast<uint32_t>(*number);
    added.flags = SECCOMP_ADDFD_FLAG_SETFD;
  }
  const int result = ioctl(fd_, SECCOMP_IOCTL_NOTIF_ADDFD, &added);
  return result < 0 ? -errno : result;
}

// Nothing ends the wait for an answer from the mount but the mount's own end, that is, when its
// /dev/fuse is closed: which this very thread would hold open, together with all others. So it has
// descriptors of its own, and of them but the listener.
int Listener::add_opened(uint64_t id, const std::string& path, int flags, std::optional<int> number,
                         bool close_on_exec) const {
  int result = 0;
  const auto open_and_add = [&] {
    const auto own = static_cast<unsigned>(fd_);
    // Where it is forbidden there is one descriptor table, as ever.
    if (close_range(own + 1, ~0U, CLOSE_RANGE_UNSHARE) == 0 && own > 0)
      close_range(0, own - 1, CLOSE_RANGE_UNSHARE);
    const int file = open(path.c_str(), flags | O_CLOEXEC);
    result = file < 0 ? -errno : add_fd(id, file, number, close_on_exec);
    if (file >= 0) close(file);
  };
  try {
    std::thread(open_and_add).join();
  } catch (const std::system_error&) {
    return -EAGAIN;  // too many processes
  }
  return result;
}

}  // namespace coldread::fuse
