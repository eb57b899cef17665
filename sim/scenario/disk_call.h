// What somebody else does to the cache's file system, one call at a time: an administrator, another
// program, a damaged disk.
//
// Plain data, made by the loader, which has checked every member an operation uses. Paths are
// relative to the cache's directory and lead nowhere outside; "." is the directory itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace coldread::scenario {

enum class DiskOperation : uint8_t {
  mkdir,
  create,  // a regular file
  write,
  truncate,
  punch_hole,
  unlink,
  rmdir,
  rename,
  link,
  symlink,
  mkfifo,
  chmod,
  setxattr,
  removexattr,
  look,     // changes nothing: says what is there
  fill,     // takes space away, or gives back what an earlier one took
  remount,  // the whole file system
  freeze,   // of it all; nobody can write to it until thaw
  thaw,
};

struct DiskCall {
  DiskOperation operation = DiskOperation::look;
  std::string path;
  std::string to;                  // rename, link: the other name; symlink: what it says
  std::string xattr;               // setxattr, removexattr: its name
  std::vector<std::byte> value;    // setxattr
  uint32_t mode = 0;               // mkdir, create, mkfifo, chmod: permission bits
  std::optional<uint64_t> size;    // create: behind the contents, if any, a hole; truncate
  uint64_t offset = 0;             // write, punch_hole; bytes
  uint64_t length = 0;             // punch_hole
  std::optional<uint64_t> blocks;  // fill: so many are left to be had (f_bavail)
  std::optional<uint64_t> files;   // fill: so many inodes are left (f_ffree)
  bool read_only = false;          // remount
};

// Whether missing directories on the way to the path (of rename: to the new one) are made.
inline bool makes_parents(DiskOperation operation) {
  switch (operation) {
    case DiskOperation::mkdir:
    case DiskOperation::create:
    case DiskOperation::rename:
    case DiskOperation::link:
    case DiskOperation::symlink:
    case DiskOperation::mkfifo:
      return true;
    default:
      return false;
  }
}
inline constexpr uint32_t kMadeParentMode = 0700;

}  // namespace coldread::scenario
