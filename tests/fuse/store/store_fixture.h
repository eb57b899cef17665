// What the tests of the store on a real directory share: the directory, on the file system of the
// working directory, and a store that makes its system calls at once.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "fuse/store/directory_store.h"

namespace coldread::fuse {

class Inline final : public Offload {
 public:
  void run(void (*function)(void*), void* argument) override {
    ++calls;
    if (before) std::exchange(before, nullptr)();
    function(argument);
  }
  size_t calls = 0;
  std::function<void()> before;  // what other tasks do while the next call is on its way
};

// Memory as O_DIRECT wants it.
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

// Below the working directory (of meson's tests: the build directory), since /tmp is often a tmpfs.
class DiskDirectory {
 public:
  DiskDirectory() {
    std::string name = std::filesystem::current_path() / "store.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << name << ": cannot be made";
    path_ = name;
    chmod(name.c_str(), 0755);  // as the root in memory
  }
  ~DiskDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  DiskDirectory(const DiskDirectory&) = delete;
  DiskDirectory& operator=(const DiskDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  bool has_user_xattrs() const {
    return setxattr(path_.c_str(), "user.probe", "1", 1, 0) == 0 &&
           removexattr(path_.c_str(), "user.probe") == 0;
  }
  bool is_ext4() const {
    struct statfs statistics;
    return statfs(path_.c_str(), &statistics) == 0 && statistics.f_type == EXT4_SUPER_MAGIC;
  }

 private:
  std::string path_;
};

inline size_t open_descriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(entries), end(entries))) - 1;
}

class DirectoryStoreTest : public testing::Test {
 protected:
  static constexpr size_t kMemory = size_t{1} << 20;

  void open(DirectoryStoreOptions options = {}) {
    misuses.clear();
    options.on_misuse = [this](std::string_view text) { misuses.emplace_back(text); };
    Result<std::unique_ptr<DirectoryStore>> opened =
        DirectoryStore::open(offload, directory.path(), std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    store = std::move(*opened);
  }
  void SetUp() override { open(); }

  InodeNumber make_tmpfile(uint32_t mode = 0600) {
    InodeNumber inode = 0;
    EXPECT_EQ(store->tmpfile(store->root(), mode, &inode), 0);
    return inode;
  }
  InodeNumber make_file(std::string_view name) {
    const InodeNumber inode = make_tmpfile();
    EXPECT_EQ(store->link(inode, store->root(), name), 0);
    return inode;
  }
  InodeNumber make_directory(std::string_view name) {
    InodeNumber inode = 0;
    EXPECT_EQ(store->mkdir(store->root(), name, 0700, &inode), 0);
    return inode;
  }
  // 0, or the errno of looking it up.
  int look(InodeNumber dir, std::string_view name) {
    InodeNumber inode = 0;
    const int error = store->lookup(dir, name, &inode);
    if (error == 0) store->put(inode);
    return error;
  }
  FileAttributes attributes(InodeNumber inode) {
    FileAttributes found;
    EXPECT_EQ(store->getattr(inode, &found), 0);
    return found;
  }

  ssize_t write(InodeNumber inode, uint64_t offset, size_t length, char fill,
                size_t misaligned = 0) {
    std::fill_n(memory.data() + misaligned, length, static_cast<std::byte>(fill));
    return store->write(inode, offset, {memory.data() + misaligned, length});
  }
  ssize_t read(InodeNumber inode, uint64_t offset, size_t length, size_t misaligned = 0) {
    return store->read(inode, offset, {memory.data() + misaligned, length});
  }
  std::string text(size_t from, size_t length) {
    return {reinterpret_cast<const char*>(memory.data()) + from, length};
  }

  DiskDirectory directory;
  Inline offload;
  AlignedMemory memory{kMemory + 4096};
  std::vector<std::string> misuses;
  std::unique_ptr<DirectoryStore> store;
};

}  // namespace coldread::fuse
