// The radix tree against a plain std::map, with long random sequences of operations.
#include "kernelmodel/kernel/xarray_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace coldread {
namespace {

// Counts what is given out and not given back.
class CountingMemory : public std::pmr::memory_resource {
 public:
  size_t blocks = 0;
  size_t peak = 0;

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    peak = std::max(peak, ++blocks);
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
    blocks--;
    std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

constexpr unsigned kMarks = 3;

// What the tree should be.
class Reference {
 public:
  struct Entry {
    void* value = nullptr;
    bool marks[kMarks] = {};
  };

  void* load(uint64_t index) const {
    const auto found = entries.find(index);
    return found != entries.end() ? found->second.value : nullptr;
  }
  void* store(uint64_t index, void* value) {
    void* old = load(index);
    if (value != nullptr)
      entries[index].value = value;
    else
      entries.erase(index);
    return old;
  }
  void set_mark(uint64_t index, XaMark mark, bool value) {
    if (entries.count(index) > 0) entries[index].marks[mark] = value;
  }
  bool get_mark(uint64_t index, XaMark mark) const {
    const auto found = entries.find(index);
    return found != entries.end() && (mark == XA_PRESENT || found->second.marks[mark]);
  }
  bool marked(XaMark mark) const {
    for (const auto& [index, entry] : entries)
      if (get_mark(index, mark)) return true;
    return false;
  }
  void* find(uint64_t* index, uint64_t max, XaMark filter) const {
    for (auto at = entries.lower_bound(*index); at != entries.end() && at->first <= max; ++at)
      if (get_mark(at->first, filter)) {
        *index = at->first;
        return at->second.value;
      }
    return nullptr;
  }
  bool find_free(uint64_t* index, uint64_t max) const {
    uint64_t at = *index;
    for (; at <= max && entries.count(at) > 0; at++)
      if (at == UINT64_MAX) return false;
    if (at > max) return false;
    *index = at;
    return true;
  }

  std::map<uint64_t, Entry> entries;
};

class XArrayTreeTest : public testing::TestWithParam<uint64_t> {
 protected:
  // Indices of one of several kinds: dense, sparse, around the borders of nodes, at the end.
  uint64_t some_index() {
    const uint64_t word = random();
    switch (kind) {
      case 0:
        return word % 200;
      case 1:
        return word % 5000;
      case 2:
        return (uint64_t{1} << (word % 64)) + (word >> 8) % 3 - 1;
      case 3:
        return UINT64_MAX - word % 150;
      default:
        return word >> (random() % 64);
    }
  }
  XaMark some_mark() { return static_cast<XaMark>(random() % kMarks); }
  XaMark some_filter() { return static_cast<XaMark>(random() % (kMarks + 1)); }

  void step();
  void searches();

  std::mt19937_64 random{GetParam()};
  const uint64_t kind = GetParam() % 5;
  CountingMemory memory;
  XArrayTree tree{memory};
  Reference reference;
  int objects[100] = {};
};

void XArrayTreeTest::step() {
  const uint64_t index = some_index();
  const XaMark mark = some_mark();
  switch (random() % 10) {
    case 0:
    case 1:
    case 2:
    case 3: {
      void* value = &objects[random() % std::size(objects)];
      ASSERT_EQ(tree.store(index, value), reference.store(index, value));
      break;
    }
    case 4:
    case 5:
    case 6:
      ASSERT_EQ(tree.store(index, nullptr), reference.store(index, nullptr));
      break;
    case 7:
    case 8:
      tree.set_mark(index, mark);
      reference.set_mark(index, mark, true);
      break;
    default:
      tree.clear_mark(index, mark);
      reference.set_mark(index, mark, false);
  }
  ASSERT_EQ(tree.count(), reference.entries.size());
  ASSERT_EQ(tree.empty(), reference.entries.empty());
}

void XArrayTreeTest::searches() {
  const uint64_t index = some_index();
  const uint64_t max = random() % 4 == 0 ? UINT64_MAX : some_index();
  const XaMark filter = some_filter();
  ASSERT_EQ(tree.load(index), reference.load(index));
  ASSERT_EQ(tree.get_mark(index, filter), reference.get_mark(index, filter));
  ASSERT_EQ(tree.marked(filter), reference.marked(filter));
  uint64_t found = index;
  uint64_t expected = index;
  ASSERT_EQ(tree.find(&found, max, filter), reference.find(&expected, max, filter));
  ASSERT_EQ(found, expected) << index << " to " << max;
  found = expected = index;
  ASSERT_EQ(tree.find_free(&found, max), reference.find_free(&expected, max)) << index;
  ASSERT_EQ(found, expected) << index << " to " << max;
}

TEST_P(XArrayTreeTest, IsAMapWithMarks) {
  for (int i = 0; i < 4000; i++) {
    step();
    searches();
    if (HasFatalFailure()) return;
  }
  // Every entry in order, taking them out on the way.
  uint64_t index = 0;
  for (const auto& [expected, entry] : reference.entries) {
    ASSERT_EQ(tree.find(&index, UINT64_MAX, XA_PRESENT), entry.value);
    ASSERT_EQ(index, expected);
    ASSERT_EQ(tree.store(index, nullptr), entry.value);
  }
  EXPECT_TRUE(tree.empty());
  for (unsigned mark = 0; mark <= kMarks; mark++)
    EXPECT_FALSE(tree.marked(static_cast<XaMark>(mark)));
}

INSTANTIATE_TEST_SUITE_P(Seeds, XArrayTreeTest, testing::Range(uint64_t{0}, uint64_t{20}));

TEST(XArrayTreeMemory, NodesAreReusedAndGivenBack) {
  CountingMemory memory;
  int object = 0;
  {
    XArrayTree tree(memory);
    for (uint64_t round = 0; round < 100; round++) {
      for (uint64_t i = 0; i < 1000; i++) tree.store(round * 1000 + i, &object);
      for (uint64_t i = 0; i < 1000; i++) tree.store(round * 1000 + i, nullptr);
    }
    EXPECT_LT(memory.peak, 30U);
    tree.store(0, &object);
    tree.store(UINT64_MAX, &object);
  }
  EXPECT_EQ(memory.blocks, 0U);
}

TEST(XArrayTreeMemory, WhatLiesAloneAtZeroHasNoNode) {
  XArrayTree tree(*std::pmr::new_delete_resource());
  EXPECT_TRUE(tree.has_node_for(0));
  EXPECT_FALSE(tree.has_node_for(1));
  tree.store(0, &tree);
  EXPECT_FALSE(tree.has_node_for(1));
  tree.store(1, &tree);
  EXPECT_TRUE(tree.has_node_for(2));
  EXPECT_TRUE(tree.has_node_for(63));
  EXPECT_FALSE(tree.has_node_for(64));
  tree.store(1, nullptr);
  EXPECT_FALSE(tree.has_node_for(2));
  tree.store(0, nullptr);
  EXPECT_TRUE(tree.has_node_for(0));
}

TEST(XArrayTreeMemory, AFullRangeHasNoFreeIndex) {
  CountingMemory memory;
  XArrayTree tree(memory);
  int object = 0;
  constexpr uint64_t kCount = 64 * 64 * 2 + 5;
  for (uint64_t i = 0; i < kCount; i++) tree.store(i, &object);
  uint64_t index = 0;
  EXPECT_FALSE(tree.find_free(&index, kCount - 1));
  EXPECT_EQ(index, 0U);
  EXPECT_TRUE(tree.find_free(&index, UINT64_MAX));
  EXPECT_EQ(index, kCount);
  tree.store(4097, nullptr);
  index = 3;
  EXPECT_TRUE(tree.find_free(&index, UINT64_MAX));
  EXPECT_EQ(index, 4097U);
}

TEST(XArrayTreeMemory, TheLastIndexIsLikeAnyOther) {
  CountingMemory memory;
  XArrayTree tree(memory);
  int object = 0;
  tree.store(UINT64_MAX, &object);
  uint64_t index = UINT64_MAX;
  EXPECT_FALSE(tree.find_free(&index, UINT64_MAX));
  tree.set_mark(UINT64_MAX, XA_MARK_2);
  index = 5;
  EXPECT_EQ(tree.find(&index, UINT64_MAX, XA_MARK_2), &object);
  EXPECT_EQ(index, UINT64_MAX);
  index = UINT64_MAX - 1;
  EXPECT_EQ(tree.find(&index, UINT64_MAX - 1, XA_PRESENT), nullptr);
}

}  // namespace
}  // namespace coldread
