// What the calls of a DirectoryStore are made of: an inode during one call, and system calls made
// elsewhere.
#pragma once

#include <array>
#include <cerrno>

#include "fuse/store/directory_store.h"

namespace coldread::fuse {

enum class Need : uint8_t {
  anything,
  directory,  // else -ENOTDIR
  data,       // a regular file, for reading and writing; else -EISDIR, -EINVAL
  change,     // the same, to change it
};

// An inode that keeps its fd until the end of the call. Owns no memory.
class DirectoryStore::Use {
 public:
  Use(DirectoryStore& store, InodeNumber number, Need need);
  ~Use() {
    if (inode_ == nullptr) return;
    if (changes_) --inode_->changes;
    store_.table_.end_call(*inode_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  int error() const { return error_; }  // there is an inode and an fd only if 0
  DiskInode& inode() const { return *inode_; }
  int fd() const { return fd_; }  // also for helper threads

 private:
  DirectoryStore& store_;
  DiskInode* inode_;
  bool changes_ = false;
  int error_ = 0;
  int fd_ = -1;
};

// Makes a system call until no signal interrupts it; -errno if it fails.
template <typename Function>
auto answer(Function function) {
  auto result = function();
  while (result < 0 && errno == EINTR) result = function();
  return result < 0 ? static_cast<decltype(result)>(-errno) : result;
}

// Runs a function by the Offload, which first closes what there is to close.
template <typename Function>
auto DirectoryStore::call(Function function) {
  std::array<Closing, 16> closing;
  size_t count = 0;
  do {
    if (count != 0)
      offload(offload_, [&] {
        for (size_t i = 0; i < count; ++i) close_now(closing[i]);
      });
    count = table_.take_closing(closing);
  } while (table_.closing() > closing.size());
  return offload(offload_, [&] {
    for (size_t i = 0; i < count; ++i) close_now(closing[i]);
    return function();
  });
}

}  // namespace coldread::fuse
