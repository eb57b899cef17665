// An inode of the in-memory filesystem; private to the store.
#pragma once

#include <map>
#include <memory>
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
  using Map = std::map<std::string, Value, std::less<>>;
  using const_iterator = typename Map::const_iterator;

  bool empty() const { return names_ == nullptr || names_->empty(); }
  size_t size() const { return names_ != nullptr ? names_->size() : 0; }
  const_iterator begin() const { return names_ != nullptr ? names_->begin() : const_iterator(); }
  const_iterator end() const { return names_ != nullptr ? names_->end() : const_iterator(); }

  const_iterator find(std::string_view name) const {
    return empty() || names_->rbegin()->first < name ? end() : names_->find(name);
  }
  bool contains(std::string_view name) const { return find(name) != end(); }

  // The name's value, `value` if there was none.
  Value& emplace(std::string_view name, Value value) {
    if (names_ == nullptr) names_ = std::make_unique<Map>();
    return names_->emplace_hint(names_->end(), name, std::move(value))->second;
  }
  void erase(const_iterator entry) { names_->erase(entry); }

 private:
  std::unique_ptr<Map> names_;
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
  Names<std::vector<std::byte>> xattrs;
  FileData data;           // regular files
  InodeNumber parent = 0;  // directories
  Names<InodeNumber> entries;

  // For outcome(): a hash of the path, 0 where only the number of entries counts; what it adds.
  uint64_t place = 1;
  uint64_t contribution = 0;
  bool buries = false;  // it is the graveyard
  bool touched = false;
  // For state(): what it is like, if it has not changed since.
  bool is_known = false;
  uint64_t likeness = 0;
};

}  // namespace coldread::sim
