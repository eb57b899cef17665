// Images for tests, made by mkfs.erofs from trees made here, and a Source that reads plain bytes.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuse/erofs/image.h"

namespace coldread::erofs {

namespace fs = std::filesystem;

inline std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Bytes that differ from place to place and do not compress.
inline std::string noise(size_t size, uint64_t seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    byte = static_cast<char>(seed >> 56);
  }
  return bytes;
}

// A directory that goes with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "coldread-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }

 private:
  fs::path path_;
};

// mkfs.erofs of <scratch>/tree; empty if there is no such program.
inline std::string make_image(const Scratch& scratch, const std::string& options) {
  const fs::path image = scratch / "image";
  const std::string command = "mkfs.erofs --quiet -T1000000000 " + options + " " + image.string() +
                              " " + (scratch / "tree").string() + " > /dev/null 2>&1";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? slurp(image) : std::string();
}

struct MemorySource final : Source {
  struct Read {
    unsigned device;
    uint64_t start;
    size_t length;
    bool operator==(const Read&) const = default;
  };

  explicit MemorySource(std::string image) : devices{std::move(image)} {}

  int add_device(const std::string& name) override {
    names.push_back(name);
    if (devices.size() <= names.size()) devices.emplace_back();
    return 0;
  }
  int read(unsigned device, uint64_t start, std::span<std::byte> pages) override {
    reads.push_back({device, start, pages.size()});
    EXPECT_EQ(start % kBlockSize, 0U);
    EXPECT_EQ(pages.size() % kBlockSize, 0U);
    EXPECT_LE(start, static_cast<uint64_t>(INT64_MAX) - pages.size());
    if (failing == static_cast<int64_t>(start) && failing_device == device) return -EIO;
    // Behind the end of a blob nobody has anything.
    std::fill(pages.begin(), pages.end(), std::byte{0});
    const std::string& from = devices.at(device);
    if (start >= from.size()) return bounded ? -EIO : 0;
    std::copy_n(reinterpret_cast<const std::byte*>(from.data()) + start,
                std::min<size_t>(pages.size(), from.size() - start), pages.begin());
    return 0;
  }
  void wait_until(const std::function<bool()>& holds) override { EXPECT_TRUE(holds()); }
  void changed() override {}
  void log_error(const std::string& text) override { log.push_back(text); }
  void log_mount_error(const std::string& text) override { log.push_back(text); }
  void log_info(const std::string& text) override { log.push_back(text); }

  std::vector<std::string> devices;
  std::vector<std::string> names;
  std::vector<Read> reads;
  std::vector<std::string> log;
  int64_t failing = -1;
  unsigned failing_device = 0;
  bool bounded = false;
};

// A path's inode, from the root.
inline int find(Image& image, const std::string& path, std::shared_ptr<Inode>* inode) {
  *inode = image.root();
  for (const fs::path& name : fs::path(path)) {
    uint64_t nid = 0;
    if (const int error = image.lookup(**inode, name.string(), &nid); error != 0) return error;
    if (const int error = image.inode(nid, inode); error != 0) return error;
  }
  return 0;
}

// All of a file, in windows of that many bytes. The error, if there is one, in *error.
inline std::string contents(Image& image, const Inode& inode, int* error, size_t window = 131072) {
  std::string bytes;
  *error = 0;
  while (bytes.size() < inode.size) {
    const uint64_t left = (inode.size - bytes.size() + kBlockSize - 1) / kBlockSize * kBlockSize;
    std::vector<std::byte> pages(std::min<uint64_t>(left, window));
    *error = image.read(inode, bytes.size(), pages);
    if (*error != 0) return bytes;
    bytes.append(reinterpret_cast<const char*>(pages.data()), pages.size());
  }
  bytes.resize(inode.size);
  return bytes;
}

}  // namespace coldread::erofs
