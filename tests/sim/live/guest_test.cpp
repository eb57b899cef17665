// The host's side of a run, with scripts in the place of kernels: every way in which a guest can
// fail.
#include "sim/live/guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

using testing::HasSubstr;
using testing::Not;

// What a well-behaved guest does, in its directory: answers every task, saying which one it was.
constexpr const char* kServe = R"(
answer() {
  until [ -e out/$1.task ]; do sleep 0.01; done
  transcript='{"kernel":"guest '$$'","tasks":{}}'
  printf '{"error":"%s","last":%s,"transcript":%s}' "$2" "$3" "$transcript" > out/$1.new
  mv out/$1.new out/$1.answer
}
: > out/ready
)";

class GuestRun : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TMPDIR", directory_.path().c_str(), 1);
    scenario_.path = "some.json";
    scenario_.cache_bytes = uint64_t{16} << 20;
  }
  void TearDown() override { unsetenv("TMPDIR"); }

  KernelImage kernel(const std::string& script) {
    return {"6.12.117", directory_.write("linux", "#!/bin/sh\n" + script), "m.ko"};
  }
  std::vector<Result<player::Transcript>> run(const std::string& script, size_t scenarios = 1) {
    const KernelImage image = kernel(script);
    std::vector<Result<player::Transcript>> results;
    while (results.size() < scenarios) {
      results.push_back(pool_.play(image, scenario_, options_));
      if (after_each_) after_each_();
    }
    return results;
  }

  TemporaryDirectory directory_;
  scenario::Scenario scenario_;
  GuestOptions options_;
  GuestPool pool_;
  std::function<void()> after_each_;
};

TEST_F(GuestRun, AGuestIsUsedAgain) {
  const auto results =
      run(std::string(kServe) + "answer 0 '' false; answer 1 '' false; sleep 1000", 2);
  ASSERT_EQ(results.size(), 2u);
  ASSERT_TRUE(results[0]) << results[0].error();
  ASSERT_TRUE(results[1]) << results[1].error();
  EXPECT_EQ(results[0]->kernel, results[1]->kernel);
}

TEST_F(GuestRun, AfterAHangTheNextGuestIsAFreshOne) {
  const auto results = run(std::string(kServe) + "answer 0 '' true; sleep 1000", 2);
  ASSERT_TRUE(results[0]) << results[0].error();
  ASSERT_TRUE(results[1]) << results[1].error();
  EXPECT_NE(results[0]->kernel, results[1]->kernel);
}

TEST_F(GuestRun, DisksOfDifferentSizeNeedGuestsOfTheirOwn) {
  GuestPool pool;
  const KernelImage image =
      kernel(std::string(kServe) + "answer 0 '' false; answer 1 '' false; sleep 1000");
  const auto first = pool.play(image, scenario_, options_);
  scenario_.cache_bytes *= 2;
  const auto second = pool.play(image, scenario_, options_);
  scenario_.cache_bytes /= 2;
  const auto third = pool.play(image, scenario_, options_);
  ASSERT_TRUE(first && second && third);
  EXPECT_NE(first->kernel, second->kernel);
  EXPECT_EQ(first->kernel, third->kernel);
}

TEST_F(GuestRun, AGuestThatEndedMeanwhileIsReplaced) {
  GuestPool pool;
  const KernelImage image = kernel(std::string(kServe) + "answer 0 '' false");
  ASSERT_TRUE(pool.play(image, scenario_, options_));
  usleep(100'000);  // either it has ended by now, or the second play may still fail as it ends
  EXPECT_TRUE(pool.play(image, scenario_, options_));
}

TEST_F(GuestRun, AMachineThatDoesNotBootShowsItsConsole) {
  const auto results = run("echo 'ptrace: not permitted'; exit 1", 2);
  ASSERT_EQ(results.size(), 2u);
  for (const auto& result : results) {
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error(),
                HasSubstr("Linux 6.12.117 cannot be used: the guest ended by itself"));
    EXPECT_THAT(result.error(), HasSubstr("ptrace: not permitted"));
  }
}

TEST_F(GuestRun, AModuleThatDoesNotLoadIsSaidByTheGuest) {
  const auto results = run(
      "printf 'm.ko: the kernel does not load it' > out/new; mv out/new out/failed; sleep 1000");
  ASSERT_FALSE(results[0]);
  EXPECT_THAT(results[0].error(),
              HasSubstr("the guest gave up: m.ko: the kernel does not load it"));
}

TEST_F(GuestRun, ASilentMachineIsGivenUp) {
  options_.boot_limit_ms = 50;
  const auto results = run("sleep 1000");
  ASSERT_FALSE(results[0]);
  EXPECT_THAT(results[0].error(), HasSubstr("did not answer"));
  EXPECT_THAT(results[0].error(), HasSubstr("its console said nothing"));
}

TEST_F(GuestRun, APanicIsToldFromAnEnd) {
  const auto panic =
      run(std::string(kServe) +
          "until [ -e out/0.task ]; do sleep 0.01; done; echo 'Kernel panic - not syncing: BUG!'");
  ASSERT_FALSE(panic[0]);
  EXPECT_THAT(panic[0].error(), HasSubstr("the guest's kernel failed: Kernel panic"));
  const auto end = run(std::string(kServe) + "until [ -e out/0.task ]; do sleep 0.01; done");
  ASSERT_FALSE(end[0]);
  EXPECT_THAT(end[0].error(), HasSubstr("the guest ended by itself"));
}

TEST_F(GuestRun, AnErrorOfTheGuestIsPassedOnAndTheNextScenarioPlayed) {
  const auto results = run(std::string(kServe) + "answer 0 'a player crashed' true; sleep 1000", 2);
  ASSERT_FALSE(results[0]);
  EXPECT_EQ(results[0].error(), "a player crashed");
  EXPECT_EQ(results.size(), 2u);
}

TEST_F(GuestRun, ADamagedAnswerIsAnError) {
  const auto results =
      run(": > out/ready; echo '{' > out/new; mv out/new out/0.answer; sleep 1000");
  ASSERT_FALSE(results[0]);
  EXPECT_THAT(results[0].error(), HasSubstr("the guest's answer"));
}

TEST_F(GuestRun, AnInterruptEndsItWithResultsSoFar) {
  std::atomic<bool> stop = false;
  options_.stop = &stop;
  after_each_ = [&] { stop = true; };
  const auto results = run(std::string(kServe) + "answer 0 '' false; sleep 1000", 2);
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error(), "interrupted");
}

}  // namespace
}  // namespace coldread::live
