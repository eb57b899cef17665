// Pages that have been read, so that each is asked for once.
//
// Models the page cache of the inodes that fs/erofs reads metadata, directories and symbolic links
// through: one reader fills a page while the others wait for it; a page that could not be read is
// tried again by whoever wants it next. Nothing is ever dropped while the cache lives.
// Thread rules: those of the Source.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "fuse/erofs/source.h"

namespace coldread::erofs {

class PageCache {
 public:
  using Fill = std::function<int(uint64_t start, std::span<std::byte> page)>;
  using Page = std::span<const std::byte>;  // kBlockSize bytes, as long as the cache lives

  explicit PageCache(Source& source) : source_(source) {}

  // The page that holds byte `position`. 0, or what fill() says.
  int get(uint64_t position, const Fill& fill, Page* page);

 private:
  struct alignas(kBlockSize) Memory {  // what direct I/O wants
    std::byte bytes[kBlockSize];
  };
  struct Slot {
    std::unique_ptr<Memory> memory;
    bool filled = false;
    bool locked = false;
  };

  Source& source_;
  std::map<uint64_t, Slot> slots_;  // by number of the page
};

}  // namespace coldread::erofs
