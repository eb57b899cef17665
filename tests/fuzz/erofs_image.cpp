// A hostile EROFS image: mounted, listed and read to its end. Whatever its bytes say, the reader
// answers or gives an error; it reads pages alone, and no more of them than it was asked for.
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fuse/erofs/image.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

using namespace erofs;

constexpr size_t kMaxReads = 10'000;  // of one image
constexpr size_t kMaxInodes = 64;
constexpr size_t kMaxEntries = 64;  // of one directory
constexpr size_t kMaxDevices = 70'000;
constexpr size_t kMaxLink = 4096;  // bytes: PATH_MAX
constexpr size_t kWindow = 16 * kBlockSize;

// The bytes as the image and as all of its blobs.
class BytesSource final : public Source {
 public:
  explicit BytesSource(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  int add_device(const std::string&) override {
    if (++devices_ > kMaxDevices) found("more devices than an image can have");
    return 0;
  }
  int read(unsigned device, uint64_t start, std::span<std::byte> pages) override {
    if (device > devices_) found("a device that was never made known is read");
    if (start % kBlockSize != 0 || pages.size() % kBlockSize != 0 || pages.empty())
      found("not whole pages are read");
    if (start > static_cast<uint64_t>(INT64_MAX) - pages.size()) found("a read behind 2^63");
    if (++reads_ > kMaxReads) found("the image is read without end");
    if (start >= bytes_.size()) return -EIO;
    const size_t length = std::min<size_t>(pages.size(), bytes_.size() - start);
    std::memset(pages.data() + length, 0, pages.size() - length);
    std::memcpy(pages.data(), bytes_.data() + start, length);
    return 0;
  }
  void wait_until(const std::function<bool()>& holds) override {
    if (!holds()) found("one reader waits for itself");
  }
  void changed() override {}
  void log_error(const std::string&) override {}
  void log_mount_error(const std::string&) override {}
  void log_info(const std::string&) override {}

 private:
  std::span<const uint8_t> bytes_;
  size_t devices_ = 0;
  size_t reads_ = 0;
};

void check(int answer) {
  if (answer > 0 || answer < -4095) found("an answer that is neither 0 nor an errno");
}

class Visit {
 public:
  explicit Visit(std::span<const uint8_t> bytes) : source_(bytes), image_(source_, {}) {}

  void everything() {
    if (const int error = image_.open(); error != 0) return check(error);
    nids_.push_back(image_.root()->nid);
    for (size_t i = 0; i < nids_.size() && i < kMaxInodes; i++) {
      std::shared_ptr<Inode> inode;
      const int error = image_.inode(nids_[i], &inode);
      check(error);
      if (error == 0) visit(*inode);
    }
  }

 private:
  void visit(Inode& inode) {
    std::vector<std::string> names;
    check(image_.list_xattrs(inode, &names));
    for (const std::string& name : names) {
      std::string value;
      check(image_.get_xattr(inode, name, &value));
    }
    if (S_ISDIR(inode.mode)) return list(inode);
    std::string target;
    if (S_ISLNK(inode.mode)) {
      check(image_.read_link(inode, &target));
      if (target.size() > kMaxLink) found("a link longer than a path can be");
    }
    if (!S_ISREG(inode.mode)) return;
    const uint64_t last = inode.size / kBlockSize * kBlockSize;
    for (const uint64_t start : {uint64_t{0}, uint64_t{kWindow}, last / 2 / kBlockSize * kBlockSize,
                                 last < kBlockSize ? uint64_t{0} : last - kBlockSize, last})
      read(inode, start);
  }

  void list(Inode& directory) {
    uint64_t position = 0;
    size_t count = 0;
    std::string last;
    check(image_.list(directory, 0, [&](const DirectoryEntry& entry) {
      if (entry.next_position <= position) found("a listing that does not go on");
      position = entry.next_position;
      nids_.push_back(entry.nid);
      last = entry.name;
      return ++count < kMaxEntries;
    }));
    uint64_t nid = 0;
    check(image_.lookup(directory, "nothing", &nid));
    if (!last.empty()) check(image_.lookup(directory, last, &nid));
    check(image_.list(directory, position, [](const DirectoryEntry&) { return false; }));
  }

  void read(const Inode& inode, uint64_t start) {
    // What a page cache asks for ends with the file.
    if (start >= inode.size) return;
    alignas(kBlockSize) static std::byte pages[kWindow];
    const uint64_t rest = (inode.size - start + kBlockSize - 1) / kBlockSize * kBlockSize;
    check(image_.read(inode, start, std::span(pages, std::min<uint64_t>(kWindow, rest))));
  }

  BytesSource source_;
  Image image_;
  std::vector<uint64_t> nids_;
};

}  // namespace
}  // namespace coldread::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  coldread::fuzz::Visit({data, size}).everything();
  return 0;
}
