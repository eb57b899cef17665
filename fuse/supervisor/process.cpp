#include "fuse/supervisor/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "fuse/host/caller.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL  // since Linux 6.9
#endif

namespace coldread::fuse {
namespace {

std::string proc_path(pid_t thread, std::string_view name) {
  return fmt::format("/proc/{}/{}", thread, name);
}

std::string link_target(const std::string& path) {
  char target[PATH_MAX];
  const ssize_t length = readlink(path.c_str(), target, sizeof(target));
  return length < 0 ? std::string() : std::string(target, static_cast<size_t>(length));
}

// The rest of the line of /proc/THREAD/status that begins with `name`; empty: none.
std::string status_field(const std::string& directory, std::string_view name) {
  std::ifstream status(directory + "/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.compare(0, name.size(), name) == 0) return line.substr(name.size());
  }
  return {};
}

template <typename Number>
Number number_at(std::string_view text, size_t word, int base) {
  Number number = 0;
  for (size_t i = 0; i <= word; ++i) {
    const size_t start = std::min(text.find_first_not_of(" \t"), text.size());
    text.remove_prefix(start);
    if (i < word) text.remove_prefix(std::min(text.find_first_of(" \t"), text.size()));
  }
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

}  // namespace

std::optional<FileIdentity> file_of(pid_t thread, int fd) {
  struct statx found {};
  const std::string path = proc_path(thread, fmt::format("fd/{}", fd));
  // What is known already will do: asking our own mount would wait for the server.
  if (statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &found) < 0) return {};
  return FileIdentity{makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
}

bool has_descriptor(pid_t thread, int fd) {
  struct stat found {};
  return lstat(proc_path(thread, fmt::format("fd/{}", fd)).c_str(), &found) == 0;
}

bool readable(pid_t thread, int fd) {
  struct stat found {};
  return lstat(proc_path(thread, fmt::format("fd/{}", fd)).c_str(), &found) == 0 &&
         (found.st_mode & S_IRUSR) != 0;
}

bool closes_on_exec(pid_t thread, int fd) {
  std::ifstream info(proc_path(thread, fmt::format("fdinfo/{}", fd)));
  constexpr std::string_view kName = "flags:";
  for (std::string line; std::getline(info, line);) {
    if (line.compare(0, kName.size(), kName) == 0)
      return (number_at<unsigned>(std::string_view(line).substr(kName.size()), 0, 8) & O_CLOEXEC) !=
             0;
  }
  return false;
}

rlim_t descriptor_limit(pid_t thread) {
  rlimit limit{};
  // /proc and not prlimit(2), which is for whole processes of one's own.
  const std::string path = proc_path(thread, "limits");
  std::ifstream limits(path);
  std::string line;
  constexpr std::string_view kName = "Max open files";
  while (std::getline(limits, line)) {
    if (line.compare(0, kName.size(), kName) != 0) continue;
    return number_at<rlim_t>(std::string_view(line).substr(kName.size()), 0, 10);
  }
  return limit.rlim_cur;
}

int lowest_free_descriptor(pid_t thread) {
  DIR* const directory = opendir(proc_path(thread, "fd").c_str());
  if (directory == nullptr) return -EMFILE;
  std::vector<bool> used;
  while (const dirent* entry = readdir(directory)) {
    const std::string_view name = entry->d_name;
    size_t fd = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc()) continue;
    if (fd >= used.size()) used.resize(fd + 1);
    used[fd] = true;
  }
  closedir(directory);
  const auto lowest =
      static_cast<size_t>(std::find(used.begin(), used.end(), false) - used.begin());
  return lowest < descriptor_limit(thread) ? static_cast<int>(lowest) : -EMFILE;
}

int copy_descriptor(pid_t thread, int fd) {
  auto process = static_cast<int>(syscall(SYS_pidfd_open, thread, PIDFD_THREAD));
  if (process < 0) {
    process = static_cast<int>(syscall(SYS_pidfd_open, process_of(thread), 0));
  }
  if (process < 0) return -errno;
  const auto copy = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
  const int error = errno;
  close(process);
  return copy < 0 ? -error : copy;
}

pid_t process_of(pid_t thread) {
  const auto group = number_at<pid_t>(status_field(proc_path(thread, ""), "Tgid:"), 0, 10);
  return group > 0 ? group : thread;
}

bool counts_as_administrator(pid_t thread) {
  if (has_sys_admin(static_cast<uint32_t>(thread))) return true;
  if (has_sys_admin(static_cast<uint32_t>(getpid()))) return false;
  const std::string ids =
      status_field(proc_path(thread, ""), "Uid:");  // real, effective, saved, file system
  return !ids.empty() && number_at<uid_t>(ids, 1, 10) == geteuid();
}

std::string working_directory(pid_t thread) {
  return link_target(proc_path(thread, "cwd"));
}

std::string absolute_path(pid_t thread, int directory, const std::string& path) {
  if (path.empty()) return {};
  std::filesystem::path whole = path;
  if (path.front() != '/') {
    const std::string base = directory == AT_FDCWD
                                 ? working_directory(thread)
                                 : link_target(proc_path(thread, fmt::format("fd/{}", directory)));
    if (base.empty()) return {};
    whole = std::filesystem::path(base) / path;
  }
  return whole.lexically_normal();
}

}  // namespace coldread::fuse
