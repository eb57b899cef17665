// An inode of the in-memory filesystem; private to the store.
#pragma once

#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/store/memory_store.h"

namespace coldread::sim {

// What an inode knows by name, sorted: the entries of a directory, xattrs. Most inodes have none:
// then it is but a pointer. Whoever makes names in their order, as a volume does with its 256
// directories, pays for no search.
template <typename Value>
class Names {
 public:
  using Map = std::pmr::map<std::string, Value, std::less<>>;
  using const_iterator = typename Map::const_iterator;

  bool empty() const { return names_ == nullptr || names_->empty(); }
  size_t size() const { return names_ != nullptr ? names_->size() : 0; }
  const_iterator begin() const { return names_ != nullptr ? names_->begin() : const_iterator(); }
  const_iterator end() const { return names_ != nullptr ? names_->end() : const_iterator(); }

  const_iterator find(std::string_view name) const {
    return empty() || names_->rbegin()->first < name ? end() : names_->find(name);
  }
  bool contains(std::string_view name) const { return find(name) != end(); }

  // The name's value, `value` if there was none. `memory` is always the same, and outlives them.
  Value& emplace(std::pmr::memory_resource& memory, std::string_view name, Value value) {
    if (names_ == nullptr) names_ = std::make_unique<Map>(&memory);
    return names_->emplace_hint(names_->end(), name, std::move(value))->second;
  }
  void erase(const_iterator entry) { names_->erase(entry); }

 private:
  std::unique_ptr<Map> names_;
};

// Small: a volume has 256 directories, and a run that is set back is copied with them.
struct MemoryStore::Inode {
  Inode(InodeNumber its_number, FileType its_type, uint32_t its_mode, BlockPool& pool)
      : number(its_number),
        mode(its_mode & 07777),
        type(its_type),
        data(its_type == FileType::regular ? std::make_unique<FileData>(pool) : nullptr) {}

  InodeNumber number;
  uint64_t references = 0;
  uint32_t links = 0;
  uint32_t mode : 16;
  FileType type;
  bool linkable : 1 = false;  // I_LINKABLE: a tmpfile that never had a name
  bool buries : 1 = false;    // it is the graveyard
  bool touched : 1 = false;   // it is in touched_
  bool is_known : 1 = false;  // for state(): it has not changed since it had its likeness
  Names<std::vector<std::byte>> xattrs;
  std::unique_ptr<FileData> data;  // regular files
  InodeNumber parent = 0;          // directories
  Names<InodeNumber> entries;

  // For outcome(): a hash of the path, 0 where only the number of entries counts; what it adds.
  uint64_t place = 1;
  uint64_t contribution = 0;
  uint64_t likeness = 0;  // for state(): what it is like
};

// Reports a number that is not, or no longer, valid, and gives null.
inline MemoryStore::Inode* MemoryStore::find(InodeNumber number) {
  if (number < inodes_.size() && inodes_[number] != nullptr) [[likely]]
    return inodes_[number];
  misuse("an inode number is used that is not, or no longer, valid");
  return nullptr;
}

inline void MemoryStore::release_if_unused(Inode& inode) {
  if (inode.links == 0 && inode.references == 0) release(inode);
}

}  // namespace coldread::sim
