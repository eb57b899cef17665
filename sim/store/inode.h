// An inode of the in-memory filesystem; private to the store.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "sim/store/memory_store.h"

namespace coldread::sim {

// The names in a directory, sorted. Whoever makes names in their order, as a volume does with its
// 256 directories, pays for no search.
class Entries {
 public:
  using Map = std::map<std::string, InodeNumber, std::less<>>;
  using const_iterator = Map::const_iterator;

  bool empty() const { return names_.empty(); }
  size_t size() const { return names_.size(); }
  const_iterator begin() const { return names_.begin(); }
  const_iterator end() const { return names_.end(); }

  const_iterator find(std::string_view name) const {
    return empty() || names_.rbegin()->first < name ? end() : names_.find(name);
  }
  bool contains(std::string_view name) const { return find(name) != end(); }
  void emplace(std::string_view name, InodeNumber inode) {
    names_.emplace_hint(names_.end(), name, inode);
  }
  void erase(const_iterator entry) { names_.erase(entry); }

 private:
  Map names_;
};

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
  Entries entries;

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
