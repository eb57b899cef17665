// The store on a real directory against the one in memory: the same random operations, from fixed
// seeds, must give the same results.
#include <random>

#include "sim/store/memory_store.h"
#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

using sim::MemoryStore;

// Options that must make no difference.
struct Way {
  const char* name;
  DirectoryStoreOptions options;
};

const Way kWays[] = {
    {"Plain", {}},
    {"FewDescriptors", {.max_open = 3}},
    {"NoHandles", {.handles = false}},
    {"NoTmpfile", {.tmpfile = false}},
    {"Buffered", {.direct = false}},
};

class StoresAgree : public DirectoryStoreTest,
                    public testing::WithParamInterface<std::tuple<size_t, unsigned>> {
 protected:
  struct Both {
    InodeNumber memory = 0;
    InodeNumber disk = 0;
  };

  void SetUp() override {
    open(way());
    xattrs_ = directory.has_user_xattrs();
    if (!xattrs_) GTEST_LOG_(INFO) << "no user xattrs here: not compared";
    held_.push_back({MemoryStore::kRoot, store->root()});
    memory_store_.get(MemoryStore::kRoot);
    store->get(store->root());
  }

  static const DirectoryStoreOptions& way() { return kWays[std::get<0>(GetParam())].options; }
  uint64_t pick(uint64_t limit) { return random_() % limit; }
  const Both& pick_held() { return held_[pick(held_.size())]; }
  std::string pick_name() {
    static const std::vector<std::string> odd = {"",
                                                 ".",
                                                 "..",
                                                 "a/b",
                                                 std::string("a\0b", 3),
                                                 std::string(255, 'l'),
                                                 std::string(256, 'l'),
                                                 std::string(600, 'l')};
    return pick(12) == 0 ? odd[pick(odd.size())] : std::string(1, static_cast<char>('a' + pick(5)));
  }
  // Blocks, around a border more often.
  uint64_t pick_blocks(uint64_t limit) { return pick(limit) * 4096; }

  // Both made something, or neither did.
  void both_gave(int in_memory, int on_disk, const Both& made) {
    ASSERT_EQ(in_memory, on_disk);
    if (in_memory == 0) held_.push_back(made);
  }

  void find_or_make() {
    const Both at = pick_held();
    const std::string name = pick_name();
    const uint32_t mode = pick(2) == 0 ? 0700 : 0640;
    Both made;
    switch (pick(4)) {
      case 0:
        both_gave(memory_store_.mkdir(at.memory, name, mode, &made.memory),
                  store->mkdir(at.disk, name, mode, &made.disk), made);
        break;
      case 1:
        both_gave(memory_store_.tmpfile(at.memory, mode, &made.memory),
                  store->tmpfile(at.disk, mode, &made.disk), made);
        break;
      default:
        both_gave(memory_store_.lookup(at.memory, name, &made.memory),
                  store->lookup(at.disk, name, &made.disk), made);
    }
  }

  void change_names() {
    const Both from = pick_held();
    const Both to = pick_held();
    const std::string name = pick_name();
    const std::string other = pick_name();
    switch (pick(4)) {
      case 0:
        ASSERT_EQ(memory_store_.unlink(from.memory, name), store->unlink(from.disk, name));
        break;
      case 1:
        // Where unnamed files have names, directories with such are not empty.
        if (!way().tmpfile) break;
        ASSERT_EQ(memory_store_.rename(from.memory, name, to.memory, other),
                  store->rename(from.disk, name, to.disk, other));
        break;
      default:
        ASSERT_EQ(memory_store_.link(from.memory, to.memory, name),
                  store->link(from.disk, to.disk, name));
    }
  }

  void change_data() {
    const Both file = pick_held();
    const uint64_t offset = pick_blocks(40);
    const uint64_t length = pick_blocks(8);
    const std::span<std::byte> data(memory.data(), length);
    switch (pick(6)) {
      case 0: {
        const uint64_t size = pick(8) == 0 ? UINT64_MAX - pick(9) : pick_blocks(40) / 7;
        ASSERT_EQ(memory_store_.truncate(file.memory, size), store->truncate(file.disk, size));
        break;
      }
      case 1:
        ASSERT_EQ(memory_store_.punch_hole(file.memory, offset, length),
                  store->punch_hole(file.disk, offset, length));
        break;
      case 2:
        // Where there is no O_DIRECT it punches.
        ASSERT_EQ(way().direct ? memory_store_.zero_range(file.memory, offset, length)
                               : memory_store_.punch_hole(file.memory, offset, length),
                  store->zero_range(file.disk, offset, length));
        break;
      default:
        std::fill(data.begin(), data.end(), static_cast<std::byte>(random_()));
        ASSERT_EQ(memory_store_.write(file.memory, offset, data),
                  store->write(file.disk, offset, data));
    }
  }

  void change_xattrs() {
    const Both at = pick_held();
    const char* name = pick(2) == 0 ? "user.CacheFiles.cache" : "user.other";
    const std::vector<std::byte> value(pick(100) + 1, static_cast<std::byte>(random_()));
    if (pick(3) == 0) {
      ASSERT_EQ(memory_store_.removexattr(at.memory, name), store->removexattr(at.disk, name));
    } else {
      ASSERT_EQ(memory_store_.setxattr(at.memory, name, value),
                store->setxattr(at.disk, name, value));
    }
  }

  void give_back() {
    const size_t index = pick(held_.size());
    const Both given = held_[index];
    memory_store_.put(given.memory);
    store->put(given.disk);
    held_[index] = held_.back();
    held_.pop_back();
    if (held_.empty()) {
      memory_store_.get(MemoryStore::kRoot);
      store->get(store->root());
      held_.push_back({MemoryStore::kRoot, store->root()});
    }
  }

  void compare(const Both& at) {
    FileAttributes expected;
    FileAttributes found;
    ASSERT_EQ(memory_store_.getattr(at.memory, &expected), store->getattr(at.disk, &found));
    ASSERT_EQ(expected.type, found.type);
    ASSERT_EQ(expected.mode, found.mode);
    ASSERT_EQ(expected.links, found.links);
    if (expected.type == FileType::regular) {
      ASSERT_EQ(expected.size, found.size);
    }
    for (const Whence whence : {Whence::data, Whence::hole}) {
      const uint64_t offset = pick_blocks(48) / 3;
      ASSERT_EQ(memory_store_.seek(at.memory, offset, whence),
                store->seek(at.disk, offset, whence));
    }
    compare_bytes(at, pick_blocks(48), pick_blocks(16));
    if (xattrs_) compare_xattr(at);
  }

  void compare_bytes(const Both& at, uint64_t offset, uint64_t length) {
    const std::span<std::byte> expected(memory.data(), length);
    const std::span<std::byte> found(memory.data() + kMemory / 2, length);
    const ssize_t count = memory_store_.read(at.memory, offset, expected);
    ASSERT_EQ(count, store->read(at.disk, offset, found));
    for (ssize_t i = 0; i < count; ++i)
      ASSERT_EQ(memory.data()[i], memory.data()[kMemory / 2 + static_cast<size_t>(i)])
          << offset + static_cast<uint64_t>(i);
  }

  void compare_xattr(const Both& at) {
    std::array<std::byte, 64> expected{};
    std::array<std::byte, 64> found{};
    const std::span<std::byte>::size_type size = pick(2) * 64;  // 0 asks the length
    ASSERT_EQ(
        memory_store_.getxattr(at.memory, "user.CacheFiles.cache", std::span(expected).first(size)),
        store->getxattr(at.disk, "user.CacheFiles.cache", std::span(found).first(size)));
    ASSERT_EQ(expected, found);
  }

  void step() {
    switch (pick(8)) {
      case 0:
      case 1:
        return find_or_make();
      case 2:
      case 3:
        return change_names();
      case 4:
        if (xattrs_) return change_xattrs();
        return change_data();
      case 5:
        return give_back();
      default:
        return change_data();
    }
  }

  std::mt19937 random_{std::get<1>(GetParam())};
  bool xattrs_ = false;
  MemoryStore memory_store_;
  std::vector<Both> held_;  // with a reference of both
};

TEST_P(StoresAgree, OnRandomOperations) {
  for (int i = 0; i < 1500 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    step();
    if (!HasFatalFailure()) compare(pick_held());
  }
  for (const Both& held : held_) {
    memory_store_.put(held.memory);
    store->put(held.disk);
  }
  EXPECT_EQ(misuses, std::vector<std::string>{});
  EXPECT_EQ(store->inodes_in_use(), 1U);  // the root
}

std::string way_name(const testing::TestParamInfo<std::tuple<size_t, unsigned>>& info) {
  return std::string(kWays[std::get<0>(info.param)].name) + std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoresAgree,
                         testing::Combine(testing::Range<size_t>(0, std::size(kWays)),
                                          testing::Range(1U, 5U)),
                         way_name);

}  // namespace
}  // namespace coldread::fuse
