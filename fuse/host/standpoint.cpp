#include "fuse/host/standpoint.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>

#include "fuse/host/own_descriptor.h"

namespace coldread::fuse {
namespace {

std::string proc_path(pid_t thread, const char* name) {
  return fmt::format("/proc/{}/{}", thread, name);
}

int open_there(pid_t thread, const char* name, int flags) {
  return open(proc_path(thread, name).c_str(), flags | O_CLOEXEC);
}

// The same file or namespace; nothing is asked of a file system.
bool same(const std::string& one, const std::string& other) {
  struct statx a = {}, b = {};
  return statx(AT_FDCWD, one.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &a) == 0 &&
         statx(AT_FDCWD, other.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &b) == 0 &&
         a.stx_ino == b.stx_ino && a.stx_dev_minor == b.stx_dev_minor &&
         a.stx_dev_major == b.stx_dev_major;
}

// Closes all others, of this thread alone. Where that is forbidden they stay.
void keep_only(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned next = 0;
  for (const int fd : kept) {
    const auto number = static_cast<unsigned>(fd);
    if (number > next) close_range(next, number - 1, CLOSE_RANGE_UNSHARE);
    next = number + 1;
  }
  close_range(next, ~0U, CLOSE_RANGE_UNSHARE);
}

int go(const std::optional<int>& namespace_fd, const std::optional<int>& root, int directory) {
  if (unshare(CLONE_FS) < 0) return -errno;
  if (namespace_fd && setns(*namespace_fd, CLONE_NEWNS) < 0) return -errno;
  if (root && (fchdir(*root) < 0 || chroot(".") < 0)) return -errno;
  return fchdir(directory) < 0 ? -errno : 0;
}

}  // namespace

bool stands_where_we_do(pid_t thread) {
  return same(proc_path(thread, "ns/mnt"), "/proc/thread-self/ns/mnt") &&
         same(proc_path(thread, "root"), "/");
}

int standing_where(pid_t thread, const std::vector<int>& kept,
                   const std::function<int()>& function) {
  const OwnDescriptor directory(open_there(thread, "cwd", O_PATH | O_DIRECTORY));
  const OwnDescriptor root(open_there(thread, "root", O_PATH | O_DIRECTORY));
  const OwnDescriptor mounts(open_there(thread, "ns/mnt", O_RDONLY));
  if (!directory || !root || !mounts) return errno == EACCES ? -EPERM : -ESRCH;
  std::optional<int> namespace_fd, new_root;
  if (!stands_where_we_do(thread)) {
    namespace_fd = mounts.get();
    new_root = root.get();
  }
  int result = 0;
  std::thread([&] {
    std::vector<int> all = kept;
    all.insert(all.end(), {directory.get(), root.get(), mounts.get()});
    keep_only(all);
    result = go(namespace_fd, new_root, directory.get());
    if (result == 0) result = function();
  }).join();
  return result;
}

bool may_mount(pid_t thread) {
  std::ifstream status(proc_path(thread, "status"));
  bool administers = false;
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("CapEff:", 0) == 0)
      administers = (std::stoull(line.substr(7), nullptr, 16) >> CAP_SYS_ADMIN & 1) != 0;
  }
  if (!administers) return false;
  const std::string its_users = proc_path(thread, "ns/user");
  if (same(its_users, "/proc/thread-self/ns/user")) return true;
  const OwnDescriptor mounts(open_there(thread, "ns/mnt", O_RDONLY));
  const OwnDescriptor owner(mounts ? ioctl(mounts.get(), NS_GET_USERNS) : -1);
  return owner && same(its_users, fmt::format("/proc/thread-self/fd/{}", owner.get()));
}

std::string mount_type(pid_t thread, int directory, const std::string& path, bool follow) {
  uint64_t id = 0;
  const std::vector<int> kept = directory >= 0 ? std::vector<int>{directory} : std::vector<int>{};
  const int error = standing_where(thread, kept, [&] {
    struct statx found = {};
    const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | (path.empty() ? AT_EMPTY_PATH : 0) |
                      (follow ? 0 : AT_SYMLINK_NOFOLLOW);
    if (statx(directory, path.c_str(), flags, STATX_MNT_ID, &found) < 0) return -errno;
    id = found.stx_mnt_id;
    return 0;
  });
  if (error != 0) return {};
  // Fields: id, ..., options of any number, "-", type.
  std::ifstream mounts(proc_path(thread, "mountinfo"));
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    uint64_t its_id = 0;
    std::string word;
    if (!(words >> its_id) || its_id != id) continue;
    while (words >> word && word != "-") {
    }
    words >> word;
    return word;
  }
  return {};
}

}  // namespace coldread::fuse
