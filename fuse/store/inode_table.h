// Which inodes of the disk are in use, and through which file descriptors: numbers, references, and
// a bound on how many stay open.
//
// An inode that is not in a call may lose its fd to make room if a handle leads back to it. One
// that has no name, or no handle, keeps its fd until the last reference is gone.
//
// Thread rules: the fibers' thread alone; no call blocks. Descriptors are never closed here, since
// that may block: they are handed out to be closed by take_closing().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fuse/store/disk_file.h"

namespace coldread::fuse {

// A file system that inodes in use lie on.
struct Filesystem {
  dev_t device = 0;
  int mount = -1;  // a directory of it, not O_PATH; -1: none could be opened
  bool handles = false;
  size_t inodes = 0;                  // in use
  int64_t max_file_size = INT64_MAX;  // until somebody found out
  bool counts_in_memory = false;      // statfs() does not wait
};

// The name of a file that a file system without O_TMPFILE makes us give it.
struct TemporaryName {
  int dir = -1;  // -1: it has none
  uint64_t serial = 0;
};

void unlink_now(const TemporaryName& temporary);  // may block

struct DiskInode {
  InodeNumber number = 0;
  Identity identity;
  FileType type = FileType::other;
  StoredHandle handle;
  int fd = -1;
  bool data = false;  // what the fd is, as in FoundFile
  bool direct = false;
  bool read_only = false;
  bool nameless = false;  // only the fd leads to it
  bool lost = false;      // its number on the disk belongs to another file by now
  TemporaryName temporary;
  uint64_t references = 0;
  uint32_t calls = 0;    // under way
  uint32_t changes = 0;  // of these, of its data
  bool sought = false;   // since it was opened
  int replaced_fd = -1;  // in use by one of these
  Filesystem* filesystem = nullptr;
  bool evictable = false;  // it has a place in the order of use
  std::list<InodeNumber>::iterator place;
};

// What has to be done about an inode nobody uses any more.
struct Closing {
  int fd = -1;
  TemporaryName temporary;  // to be unlinked, and its directory closed
};

class InodeTable {
 public:
  using Misuse = std::function<void(std::string_view text)>;

  // `max_open`: descriptors that inodes may have before some lose theirs.
  InodeTable(size_t max_open, Misuse on_misuse)
      : max_open_(max_open), on_misuse_(std::move(on_misuse)) {}
  ~InodeTable();  // closes everything, so it may block
  InodeTable(const InodeTable&) = delete;
  InodeTable& operator=(const InodeTable&) = delete;

  // Takes the fd over and one reference.
  DiskInode& add(const FoundFile& found);
  // Null: it is not in use, which is reported as the caller's bug.
  DiskInode* find(InodeNumber number);
  void get(InodeNumber number);
  void put(InodeNumber number);

  // Between these two an inode and its fd stay.
  void begin_call(DiskInode& inode);
  void end_call(DiskInode& inode);
  // A better fd than the inode has; it is closed if the inode has got one in the meantime.
  void reopened(DiskInode& inode, const FoundFile& found);

  void named(DiskInode& inode);  // it has got a name, and lost its temporary one
  // One of its names was removed: from now on its fd may be all that leads to it. Takes over the
  // fd.
  void name_removed(const FoundFile& found);

  Filesystem* find_filesystem(dev_t device);
  // Takes over the fd `mount`; every inode of the device is added later.
  void add_filesystem(dev_t device, int mount, bool handles);

  void close_later(int fd);
  // Takes up to closing.size() of what is to be closed; how many.
  size_t take_closing(std::span<Closing> closing);
  size_t closing() const { return closing_.size(); }

  size_t open() const { return open_; }  // inodes that have an fd
  size_t in_use() const { return inodes_.size(); }
  uint64_t references(InodeNumber number) const;

 private:
  DiskInode* find_same(const FoundFile& found);
  InodeNumber new_number(const Identity& identity);
  void take_fd(DiskInode& inode, const FoundFile& found);
  void drop_fd(DiskInode& inode);
  void update_place(DiskInode& inode);
  void make_room();
  void erase_if_unused(DiskInode& inode);

  size_t max_open_;
  Misuse on_misuse_;
  std::unordered_map<InodeNumber, DiskInode> inodes_;
  std::map<Identity, InodeNumber> numbers_;
  std::list<InodeNumber> order_;  // of the evictable ones with an fd; last used first
  std::vector<std::unique_ptr<Filesystem>> filesystems_;
  std::vector<Closing> closing_;
  size_t open_ = 0;
  uint64_t next_number_ = uint64_t{1} << 63;  // for inodes whose own number is taken
};

void close_now(const Closing& closing);  // may block

// "tmp.<serial>"
CName temporary_name(uint64_t serial);

}  // namespace coldread::fuse
