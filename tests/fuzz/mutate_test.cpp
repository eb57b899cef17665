// Changes of programs: whole instructions, of every kind, in the room there is, and the same again
// for the same seed.
#include "tests/fuzz/mutate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/fuzz/program.h"

namespace coldread::fuzz {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kMost = 200;
constexpr uint32_t kSeeds = 3000;

// Each instruction as its bytes, of which no part looks like another one.
std::vector<Bytes> instructions_of(const Bytes& bytes) {
  std::vector<Bytes> all;
  Program program(bytes);
  Instruction instruction;
  for (size_t from = program.at(); program.next(&instruction); from = program.at())
    all.emplace_back(bytes.begin() + static_cast<ptrdiff_t>(from),
                     bytes.begin() + static_cast<ptrdiff_t>(program.at()));
  return all;
}

Bytes some_program(uint8_t mark) {
  Bytes bytes(kHeaderBytes);
  for (uint8_t op = 0; op < 20; op++) {
    bytes.insert(bytes.end(), {op, static_cast<uint8_t>(op == 10 ? 5 : 200), mark, op});
    if (static_cast<Op>(op) == Op::text) bytes.insert(bytes.end(), {'h', 'e', 'l', 'l', 'o'});
  }
  return bytes;
}

TEST(Mutate, WhatIsNotChangedKeepsItsMeaning) {
  const Bytes before = some_program(100);
  const std::vector<Bytes> all = instructions_of(before);
  ASSERT_EQ(all.size(), 20u);
  for (uint32_t seed = 0; seed < kSeeds; seed++) {
    const std::vector<Bytes> now = instructions_of(mutated(before, kMost, seed));
    const auto missing = std::ranges::count_if(
        all, [&](const Bytes& was) { return std::ranges::find(now, was) == now.end(); });
    EXPECT_LE(missing, 1) << "seed " << seed;
  }
}

TEST(Mutate, EveryKindOfChangeComes) {
  const Bytes before = some_program(100);
  std::set<Op> ops;
  std::set<unsigned> stages;
  std::set<ptrdiff_t> lengths;
  bool moved = false;
  for (uint32_t seed = 0; seed < kSeeds; seed++) {
    const Bytes bytes = mutated(before, kMost, seed);
    const std::vector<Bytes> now = instructions_of(bytes);
    lengths.insert(static_cast<ptrdiff_t>(now.size()) - 20);
    stages.insert(static_cast<unsigned>(Program(bytes).stage()));
    for (const Bytes& instruction : now) ops.insert(static_cast<Op>(instruction[0] & kOpMask));
    moved = moved || (bytes != before && std::ranges::is_permutation(now, instructions_of(before)));
  }
  EXPECT_EQ(ops.size(), static_cast<size_t>(Op::count));
  EXPECT_EQ(stages.size(), static_cast<size_t>(Stage::count));
  EXPECT_EQ(lengths, (std::set<ptrdiff_t>{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_TRUE(moved);
}

TEST(Mutate, TheSameSeedIsTheSameChange) {
  const Bytes before = some_program(100);
  for (uint32_t seed = 0; seed < 100; seed++)
    EXPECT_EQ(mutated(before, kMost, seed), mutated(before, kMost, seed));
}

TEST(Mutate, ThereIsNoMoreThanThereIsRoomFor) {
  const Bytes before = some_program(100);
  for (uint32_t seed = 0; seed < kSeeds; seed++) {
    const size_t most = seed % 120;
    EXPECT_LE(mutated(before, most, seed).size(), most);
    EXPECT_LE(crossed(before, before, most, seed).size(), most);
    EXPECT_LE(mutated({}, most, seed).size(), most);
    EXPECT_LE(mutated(std::span(before).first(seed % before.size()), most, seed).size(), most);
  }
}

TEST(Mutate, ACrossBeginsAsOneAndEndsAsTheOther) {
  const Bytes one = some_program(100);
  const Bytes other = some_program(101);
  std::set<size_t> from_one, from_other;
  for (uint32_t seed = 0; seed < kSeeds; seed++) {
    const std::vector<Bytes> now = instructions_of(crossed(one, other, kMost, seed));
    const std::vector<Bytes> heads = instructions_of(one), tails = instructions_of(other);
    size_t head = 0;
    while (head < now.size() && head < heads.size() && now[head] == heads[head]) head++;
    from_one.insert(head);
    from_other.insert(now.size() - head);
    EXPECT_TRUE(
        std::equal(now.rbegin(), now.rend() - static_cast<ptrdiff_t>(head), tails.rbegin()));
  }
  EXPECT_EQ(from_one.size(), 21u);
  EXPECT_EQ(from_other.size(), 21u);
}

}  // namespace
}  // namespace coldread::fuzz
