// Opening files so that they are held by what they are and not by their names, which anybody may
// change: the system calls of the store that make file descriptors.
//
// All of these may block: they are for helper threads. Results are 0 or a negative errno; what was
// found then owns its fd. Descriptors close on exec.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kernelmodel/ports/backing_store.h"

namespace coldread::fuse {

// A name with the NUL that system calls want. It is longer than any name may be, so that the system
// sees names that are too long.
class CName {
 public:
  explicit CName(std::string_view name);
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 512> text_;
};

// A path that leads to whatever an fd refers to, O_PATH or not.
class FdPath {
 public:
  explicit FdPath(int fd);
  const char* c_str() const { return text_.data(); }

 private:
  std::array<char, 32> text_;
};

// What open_by_handle_at() takes; without bytes: the file system gave none that fits.
struct StoredHandle {
  uint32_t bytes = 0;
  int32_t type = 0;
  std::array<std::byte, 40> data{};
  bool operator==(const StoredHandle&) const = default;
};

// One file as long as anybody holds it.
struct Identity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator<(const Identity& other) const {
    return device != other.device ? device < other.device : inode < other.inode;
  }
};

struct FoundFile {
  int fd = -1;
  bool data = false;       // the fd reads and writes; else it is O_PATH
  bool direct = false;     // O_DIRECT
  bool read_only = false;  // O_RDONLY, since the file system is
  bool temporary = false;  // made as a file without a name
  Identity identity;
  FileType type = FileType::other;
  StoredHandle handle;
};

// Something in a directory, a symbolic link as such. -EXDEV: something else is mounted there.
int open_name(int dir, std::string_view name, FoundFile* out);

// A directory by path; its last component is no symbolic link.
int open_directory(int cwd, std::string_view path, FoundFile* out);

// Another fd for the directory an fd refers to.
int open_same(int fd, FoundFile* out);

// For reading and writing, or reading alone where no more is allowed. `fd` is a regular file's.
int open_data(int fd, bool direct, FoundFile* out);

// What a handle of the file system of `mount` (not O_PATH) leads to. -ESTALE: it is gone; -EPERM:
// CAP_DAC_READ_SEARCH is missing.
int open_handle(int mount, const StoredHandle& handle, FoundFile* out);

// What a directory's file system can do for us.
struct MountProbe {
  int fd = -1;           // the directory, not O_PATH; -1: it may not be opened
  bool handles = false;  // open_handle() works
};
MountProbe probe_mount(const FoundFile& directory, bool use_handles);

// A regular file without a name (O_TMPFILE). -EOPNOTSUPP: this file system has none.
int open_tmpfile(int dir, uint32_t mode, bool direct, FoundFile* out);

// A new regular file with a name.
int open_new_file(int dir, const char* name, uint32_t mode, bool direct, FoundFile* out);

// Gives what was just made its permissions, whatever the umask; S_ISGID stays as inherited.
int set_mode(int fd, uint32_t mode);

// s_maxbytes of a regular file's file system.
int64_t find_max_file_size(int fd);

// Whether SEEK_DATA sees that there is none in an empty file; `fd` is one and may be changed.
bool sees_holes(int fd);

}  // namespace coldread::fuse
