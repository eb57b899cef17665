// What can be known of another process from outside: its descriptors, rights and directories.
//
// All by thread id, since threads may have tables of their own. Each reads /proc, so the answer may
// be old when it arrives; a thread that is gone has nothing. Thread-safe. None asks our own mount,
// nor blocks on it, but for close() of a copy, which FUSE tells the server.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace coldread::fuse {

// Which file it is, as stat() says.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;

  bool operator==(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }
};

std::optional<FileIdentity> file_of(pid_t thread, int fd);
bool has_descriptor(pid_t thread, int fd);
bool readable(pid_t thread, int fd);  // opened for reading
bool closes_on_exec(pid_t thread, int fd);
rlim_t descriptor_limit(pid_t thread);  // RLIMIT_NOFILE, soft; 0: gone
// What its next open() would return: -EMFILE at its limit.
int lowest_free_descriptor(pid_t thread);
// A descriptor of our own for the same open file (pidfd_getfd), or a negative errno.
int copy_descriptor(pid_t thread, int fd);

pid_t process_of(pid_t thread);  // the thread group's id; `thread` itself if unknown
// Whether it counts as having CAP_SYS_ADMIN, which opening the device takes. A program that was
// started without it by a user without it counts as having it, as long as it is that user's: so an
// ordinary user's daemon works, and one that gave its rights away does not.
bool counts_as_administrator(pid_t thread);

std::string working_directory(pid_t thread);  // absolute; empty: unknown
// The absolute path that (directory, path) of openat() names, without "." , ".." and double
// slashes; symbolic links are not followed. Empty: unknown.
std::string absolute_path(pid_t thread, int directory, const std::string& path);

}  // namespace coldread::fuse
