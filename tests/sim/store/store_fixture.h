// What the store's tests share: a store, aligned memory, and files to work on.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "sim/store/memory_store.h"

namespace coldread::sim {

// Memory as O_DIRECT wants it, so that a test misaligns on purpose only.
class AlignedMemory {
 public:
  explicit AlignedMemory(size_t size) : bytes_(new (std::align_val_t{4096}) std::byte[size]) {
    std::fill_n(bytes_.get(), size, std::byte{'?'});
  }
  std::byte* data() const { return bytes_.get(); }

 private:
  struct Delete {
    void operator()(std::byte* bytes) const { operator delete[](bytes, std::align_val_t{4096}); }
  };
  std::unique_ptr<std::byte[], Delete> bytes_;
};

class StoreTest : public testing::Test {
 protected:
  static constexpr size_t kMemory = size_t{1} << 20;

  InodeNumber make_tmpfile() {
    InodeNumber inode = 0;
    EXPECT_EQ(store.tmpfile(MemoryStore::kRoot, 0600, &inode), 0);
    return inode;
  }

  // Writes `length` times `fill` from memory `misaligned` bytes off.
  ssize_t write(uint64_t offset, size_t length, char fill = 'x', size_t misaligned = 0) {
    std::byte* from = memory.data() + misaligned;
    std::fill_n(from, length, static_cast<std::byte>(fill));
    return store.write(file, offset, {from, length});
  }

  ssize_t read(uint64_t offset, size_t length, size_t misaligned = 0) {
    return store.read(file, offset, {memory.data() + misaligned, length});
  }

  // What a read finds, run-length coded: "4608*0 512*x"; a failure: "-22".
  std::string runs(uint64_t offset, size_t length, size_t misaligned = 0) {
    const ssize_t count = read(offset, length, misaligned);
    if (count < 0) return std::to_string(count);
    const std::byte* at = memory.data() + misaligned;
    const std::byte* end = at + count;
    std::string text;
    while (at != end) {
      const std::byte* stop = std::find_if(at, end, [at](std::byte b) { return b != *at; });
      if (!text.empty()) text += ' ';
      text += std::to_string(stop - at) + '*';
      text += *at == std::byte{0} ? '0' : static_cast<char>(*at);
      at = stop;
    }
    return text;
  }

  // What seeking finds: "[4096,8192) [12288,65000) of 65536".
  std::string map() {
    std::string text;
    for (int64_t at = store.seek(file, 0, Whence::data); at >= 0;) {
      const int64_t end = store.seek(file, static_cast<uint64_t>(at), Whence::hole);
      text += '[' + std::to_string(at) + ',' + std::to_string(end) + ") ";
      at = store.seek(file, static_cast<uint64_t>(end), Whence::data);
    }
    return text + "of " + std::to_string(size());
  }

  uint64_t size() {
    FileAttributes attributes;
    EXPECT_EQ(store.getattr(file, &attributes), 0);
    return attributes.size;
  }

  uint32_t links(InodeNumber inode) {
    FileAttributes attributes;
    EXPECT_EQ(store.getattr(inode, &attributes), 0);
    return attributes.links;
  }

  uint64_t free_blocks() {
    FilesystemStatistics statistics;
    EXPECT_EQ(store.statfs(&statistics), 0);
    return statistics.blocks_available;
  }

  void fresh() { file = make_tmpfile(); }

  AlignedMemory memory{kMemory + 4096};
  MemoryStore store;
  InodeNumber file = make_tmpfile();
};

}  // namespace coldread::sim
