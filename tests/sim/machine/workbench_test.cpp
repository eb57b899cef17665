// Played again and again: the same bytes as by a fresh machine, whatever ran in between.
#include "sim/machine/workbench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "sim/explore/explore.h"
#include "sim/scenario/loader.h"

namespace coldread::sim {
namespace {

constexpr int kRuns = kAddressSanitizer ? 20 : 100;
constexpr int kOutcomes = 3 * kRuns;

scenario::Scenario load(const char* name) {
  auto scenario = scenario::load_file(std::string(std::getenv("COLDREAD_SCENARIOS")) + "/" + name);
  EXPECT_TRUE(scenario) << scenario.error();
  return std::move(*scenario);
}

RunOptions keeping(player::Keep keep) {
  RunOptions options;
  options.history = 0;
  options.keep = keep;
  return options;
}

RunResult fresh(const scenario::Scenario& scenario, SchedulingStrategy& strategy,
                player::Keep keep) {
  RunOptions options = keeping(keep);
  options.scheduling = &strategy;
  return run(scenario, options);
}

class WorkbenchTest : public testing::TestWithParam<const char*> {
 protected:
  const scenario::Scenario scenario_ = load(GetParam());
  const Profile& profile_ = *find_profile(kDefaultProfile);
};

// Records, so that every byte is compared.
TEST_P(WorkbenchTest, AUsedMachineDoesWhatAFreshOneDoes) {
  Workbench bench(scenario_, profile_, keeping(player::Keep::records));
  EXPECT_EQ(bench.reuses(), !kAddressSanitizer);
  for (int seed = 0; seed < kRuns; seed++) {
    RandomChoice mine(static_cast<uint64_t>(seed));
    RandomChoice other(static_cast<uint64_t>(seed));
    const RunResult again = bench.run(mine);
    const RunResult first = fresh(scenario_, other, player::Keep::records);
    ASSERT_EQ(again.transcript.to_json().dump(), first.transcript.to_json().dump()) << seed;
    ASSERT_EQ(mine.decisions(), other.decisions());
    ASSERT_EQ(again.steps, first.steps);
  }
}

// Two runs have the same number if, and only if, they have the same transcript.
TEST_P(WorkbenchTest, OutcomesStandForTranscripts) {
  Workbench bench(scenario_, profile_, keeping(player::Keep::outcomes));
  std::map<uint64_t, std::string> transcripts;
  std::set<std::string> different;
  for (int seed = 0; seed < kOutcomes; seed++) {
    PctStrategy mine(static_cast<uint64_t>(seed), 3, 100);
    PctStrategy other(static_cast<uint64_t>(seed), 3, 100);
    const uint64_t outcome = bench.run(mine).outcome;
    const std::string text =
        fresh(scenario_, other, player::Keep::records).transcript.canonical().dump();
    EXPECT_EQ(transcripts.try_emplace(outcome, text).first->second, text) << seed;
    different.insert(text);
  }
  EXPECT_EQ(transcripts.size(), different.size());
  if (!kAddressSanitizer) {
    EXPECT_GT(different.size(), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, WorkbenchTest,
                         testing::Values("../bench/reader-daemon-withdraw.json",
                                         "bugs/uaf-withdraw-unlisted-object.json",
                                         "daemons/two-threads.json"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace_if(
                               text.begin(), text.end(),
                               [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); },
                               '_');
                           return text;
                         });

TEST(RunArena, MemoryIsReusedAndPutBack) {
  RunArena arena;
  if (!arena.usable()) GTEST_SKIP() << "no arenas here";
  // A compiler that sees all that is done with a new object believes that nobody else changes it.
  std::vector<int>* volatile numbers = nullptr;
  {
    const RunArena::Inside inside(arena);
    numbers = new std::vector<int>{1, 2, 3};
  }
  arena.save();
  for (int round = 0; round < 3; round++) {
    {
      const RunArena::Inside inside(arena);
      for (int i = 0; i < 100'000; i++) numbers->push_back(i);
      numbers->shrink_to_fit();
    }
    EXPECT_NE(RunArena::place_of(numbers->data()), 0u);
    arena.restore();
    EXPECT_EQ(*numbers, (std::vector<int>{1, 2, 3}));
  }
  const auto outside = std::make_unique<int>(1);
  EXPECT_EQ(RunArena::place_of(outside.get()), 0u);
}

TEST(RunArena, KeepsAlignment) {
  RunArena arena;
  if (!arena.usable()) GTEST_SKIP() << "no arenas here";
  const RunArena::Inside inside(arena);
  for (const size_t bytes :
       std::initializer_list<size_t>{1, 16, 24, 1000, 1024, 1025, 5000, 100'000}) {
    for (const size_t alignment : std::initializer_list<size_t>{16, 64, 4096}) {
      void* block = operator new (bytes, std::align_val_t{alignment});
      EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
      std::memset(block, 1, bytes);
      operator delete (block, std::align_val_t{alignment});
      EXPECT_EQ(operator new (bytes, std::align_val_t{alignment}), block) << "not reused";
    }
  }
}

}  // namespace
}  // namespace coldread::sim
