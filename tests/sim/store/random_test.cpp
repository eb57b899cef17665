// File contents against a plain reference: a vector of bytes, one flag for each block and one for
// each sector, under random operations from fixed seeds.
#include <random>

#include "tests/sim/store/store_fixture.h"

namespace coldread::sim {
namespace {

class Reference {
 public:
  uint64_t size() const { return bytes_.size(); }

  void truncate(uint64_t size) {
    if (size < bytes_.size()) clear(size, bytes_.size(), true);
    resize(size);
  }

  void punch(uint64_t from, uint64_t to) {
    if (from < bytes_.size()) clear(from, std::min(to, size()), to > size());
  }

  void write(uint64_t offset, std::span<const std::byte> data) {
    const uint64_t end = offset + data.size();
    if (end > bytes_.size()) resize(end);
    std::copy(data.begin(), data.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
    for (uint64_t i = offset; i < end; i = (i / 512 + 1) * 512)
      allocated_[i / 4096] = written_[i / 512] = true;
  }

  std::vector<std::byte> read(uint64_t offset, uint64_t length) const {
    if (offset >= size()) return {};
    const auto begin = bytes_.begin() + static_cast<ptrdiff_t>(offset);
    return {begin, begin + static_cast<ptrdiff_t>(std::min(length, size() - offset))};
  }

  int64_t seek(uint64_t offset, bool data) const {
    if (offset >= size()) return -ENXIO;
    for (uint64_t at = offset; at < size(); at = (at / 4096 + 1) * 4096)
      if (allocated_[at / 4096] == data) return static_cast<int64_t>(at);
    return data ? -ENXIO : static_cast<int64_t>(size());
  }

  bool was_written(uint64_t offset, uint64_t length) const {
    for (uint64_t i = offset; i < offset + length; i = (i / 512 + 1) * 512)
      if (i / 512 >= written_.size() || !written_[i / 512]) return false;
    return true;
  }

  uint64_t blocks() const {
    return static_cast<uint64_t>(std::count(allocated_.begin(), allocated_.end(), true));
  }

 private:
  void resize(uint64_t size) {
    bytes_.resize(size);
    allocated_.resize((size + 4095) / 4096);
    written_.resize((size + 511) / 512);
  }

  void clear(uint64_t from, uint64_t to, bool to_the_end) {
    std::fill(bytes_.begin() + static_cast<ptrdiff_t>(from),
              bytes_.begin() + static_cast<ptrdiff_t>(to), std::byte{0});
    for (uint64_t block = 0; block < allocated_.size(); ++block)
      if (block * 4096 >= from && (to_the_end || (block + 1) * 4096 <= to))
        allocated_[block] = false;
    for (uint64_t sector = 0; sector < written_.size(); ++sector)
      if (sector * 512 >= from && (to_the_end || (sector + 1) * 512 <= to))
        written_[sector] = false;
  }

  std::vector<std::byte> bytes_;
  std::vector<bool> allocated_;
  std::vector<bool> written_;
};

class StoreRandom : public StoreTest, public testing::WithParamInterface<unsigned> {
 protected:
  // Around a border of blocks, chunks and leaves more often than anywhere else.
  uint64_t pick(uint64_t limit, uint64_t unit) {
    uint64_t value = random_() % (limit + 1);
    if (random_() % 4 == 0) value = value / (128 << 10) * (128 << 10);
    if (random_() % 8 == 0) value = value / (4 << 20) * (4 << 20);
    return value / unit * unit;
  }

  void change() {
    const uint64_t unit = random_() % 2 == 0 ? 4096 : 512;
    const uint64_t offset = pick(kLimit, unit);
    const uint64_t length = pick(random_() % 8 == 0 ? kMemory : 3 * 4096, unit);
    switch (random_() % 16) {
      case 0:
        truncate(random_() % 4 == 0 ? offset : pick(kLimit, 1));
        break;
      case 1:
      case 2:
      case 3:
      case 4:
        punch(pick(kLimit, random_() % 2 == 0 ? 1 : unit), std::max<uint64_t>(length, 1));
        break;
      default:
        fill_and_write(offset, length);
    }
  }

  void truncate(uint64_t size) {
    ASSERT_EQ(store.truncate(file, size), 0);
    reference_.truncate(size);
  }

  void punch(uint64_t offset, uint64_t length) {
    ASSERT_EQ(store.punch_hole(file, offset, length), 0);
    reference_.punch(offset, offset + length);
  }

  void fill_and_write(uint64_t offset, uint64_t length) {
    for (size_t i = 0; i < length; i += 64)
      std::fill_n(memory.data() + i, 64, static_cast<std::byte>(random_()));
    const std::span<const std::byte> data(memory.data(), length);
    ASSERT_EQ(store.write(file, offset, data), static_cast<ssize_t>(length));
    if (length != 0) reference_.write(offset, data);
  }

  void compare() {
    const uint64_t at = pick(kLimit, 1);
    ASSERT_EQ(store.seek(file, at, Whence::data), reference_.seek(at, true)) << at;
    ASSERT_EQ(store.seek(file, at, Whence::hole), reference_.seek(at, false)) << at;
    const uint64_t length = pick(32768, 1);
    ASSERT_EQ(store.was_written(file, at, length), reference_.was_written(at, length)) << at;
    compare_bytes(at / 512 * 512, pick(65536, 512));
    ASSERT_EQ(size(), reference_.size());
    ASSERT_EQ(blocks_at_start_ - free_blocks(), reference_.blocks());
  }

  void compare_bytes(uint64_t offset, uint64_t length) {
    const std::vector<std::byte> expected = reference_.read(offset, length);
    ASSERT_EQ(read(offset, length), static_cast<ssize_t>(expected.size()));
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), memory.data())) << offset;
  }

  static constexpr uint64_t kLimit = 10 << 20;

  std::mt19937 random_{GetParam()};
  Reference reference_;
  uint64_t blocks_at_start_ = free_blocks();
};

TEST_P(StoreRandom, BehavesAsTheReference) {
  for (int i = 0; i < 600 && !HasFatalFailure(); ++i) {
    change();
    compare();
  }
  for (uint64_t offset = 0; offset < reference_.size() && !HasFatalFailure(); offset += kMemory)
    compare_bytes(offset, kMemory);
  store.put(file);
  EXPECT_EQ(free_blocks(), blocks_at_start_);
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreRandom, testing::Range(1U, 9U));

}  // namespace
}  // namespace coldread::sim
