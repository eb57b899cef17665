// An inode of the in-memory filesystem; private to the store.
#pragma once

#include "sim/store/memory_store.h"

namespace coldread::sim {

struct MemoryStore::Inode {
  Inode(InodeNumber its_number, FileType its_type, uint32_t its_mode, BlockPool& pool)
      : number(its_number), type(its_type), mode(its_mode & 07777), data(pool) {}

  InodeNumber number;
  FileType type;
  uint32_t mode;
  uint32_t links = 0;
  bool linkable = false;  // I_LINKABLE: a tmpfile that never had a name
  uint64_t references = 0;
  Xattrs xattrs;
  FileData data;           // regular files
  InodeNumber parent = 0;  // directories
  std::map<std::string, InodeNumber, std::less<>> entries;

  // For outcome(): a hash of the path, 0 where only the number of entries counts; what it adds.
  uint64_t place = 1;
  uint64_t contribution = 0;
  bool buries = false;  // it is the graveyard
  bool touched = false;
  // For state(): how often it changed, and what it was like then.
  uint64_t changes = 1;
  uint64_t seen = 0;
  uint64_t likeness = 0;
};

}  // namespace coldread::sim
