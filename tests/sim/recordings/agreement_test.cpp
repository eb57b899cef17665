// When the model agrees with what a real kernel was seen to do.
#include "sim/cli/agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sim/cli/execute.h"

namespace coldread::cli {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* kProfile = "6.12.117";

// Who opens the device first is a race.
constexpr const char* kRace = R"({"version": 1, "title": "t", "kernels": ["6.12.117"], "tasks": {
  "a": [{"do": "open", "expect": {"one_of": [3, "EBUSY"]}}, {"do": "settle"}],
  "b": [{"do": "open", "expect": {"one_of": [3, "EBUSY"]}}, {"do": "settle"}]}})";
constexpr const char* kAlone = R"({"version": 1, "title": "t", "kernels": ["6.12.117"], "tasks": {
  "a": [{"do": "open"}]}})";

class AgreementTest : public testing::Test {
 protected:
  AgreementTest() {
    std::string name = (fs::temp_directory_path() / "coldread-test-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~AgreementTest() override { fs::remove_all(directory_); }

  void scenario(const char* text) {
    path_ = directory_ / "folder" / "x.json";
    fs::create_directories(path_.parent_path());
    std::ofstream(path_) << text;
    scenario_ = *scenario::load_text(path_.string(), text);
  }
  nlohmann::json model(sim::Strategy strategy, uint64_t seed) const {
    sim::RunOptions options;
    options.strategy = strategy;
    options.seed = seed;
    return sim::run(scenario_, options).transcript.canonical();
  }
  // Of the two outcomes of kRace the one that the first interleaving does not have.
  nlohmann::json other_outcome() const {
    const nlohmann::json first = model(sim::Strategy::fifo, 0);
    for (uint64_t seed = 1; seed < 100; ++seed) {
      if (model(sim::Strategy::random, seed) != first) return model(sim::Strategy::random, seed);
    }
    return nullptr;
  }
  Outcome run(const recordings::Recordings& recorded) const {
    RunRequest request;
    request.recorded = "recordings";
    const std::atomic<bool> stop = false;
    RunContext context{request, stop, recorded, {}};
    Outcome result;
    execute(context, path_.string(), nullptr, [&](const Outcome& outcome) { result = outcome; });
    return result;
  }
  Outcome run(const std::vector<nlohmann::json>& seen) const {
    recordings::Recordings recorded;
    recorded.put(kProfile, "folder/x", {scenario_.digest, seen});
    return run(recorded);
  }

  fs::path directory_, path_;
  scenario::Scenario scenario_;
};

TEST_F(AgreementTest, TheSameTranscript) {
  scenario(kAlone);
  const Outcome outcome = run({model(sim::Strategy::fifo, 0)});
  EXPECT_EQ(outcome.agreement, Agreement::agree);
  EXPECT_EQ(outcome.verdict, Verdict::passed);
}

TEST_F(AgreementTest, AnotherAnswer) {
  scenario(kAlone);
  nlohmann::json real = model(sim::Strategy::fifo, 0);
  real["tasks"]["a"][0]["ret"] = 4;
  const Outcome outcome = run({real});
  EXPECT_EQ(outcome.agreement, Agreement::differ);
  EXPECT_EQ(outcome.verdict, Verdict::failed);
  ASSERT_EQ(outcome.differences.size(), 1u);
  EXPECT_EQ(outcome.differences[0].pointer, "/tasks/a/0/ret");
  EXPECT_EQ(outcome.differences[0].expected, "4");
  EXPECT_EQ(outcome.differences[0].got, "3");
}

TEST_F(AgreementTest, AnotherInterleavingMayHaveIt) {
  scenario(kRace);
  const nlohmann::json other = other_outcome();
  ASSERT_FALSE(other.is_null());
  const Outcome outcome = run({other, model(sim::Strategy::fifo, 0)});
  EXPECT_EQ(outcome.agreement, Agreement::agree);
  EXPECT_THAT(outcome.reason, HasSubstr("--strategy random --seed "));
}

// Chance at each step does not keep `a` waiting until `b` has done all that it does first.
TEST_F(AgreementTest, AnInterleavingThatOnlyPrioritiesFind) {
  std::string volumes, steps;
  for (int i = 0; i < 30; i++) {
    const std::string name = "\"v" + std::to_string(i) + "\"";
    volumes += (i == 0 ? "" : ", ") + name + ": {\"key\": " + name + "}";
    steps += R"({"do": "acquire_volume", "volume": )" + name + "}, ";
  }
  const std::string open =
      R"({"do": "open", "expect": {"one_of": [3, "EBUSY"]}}, {"do": "settle"}])";
  const std::string a = R"("a": [)" + open, b = R"("b": [)" + steps + open;
  const std::string head = R"({"version": 1, "title": "t", "kernels": ["6.12.117"], "volumes": {)" +
                           volumes + R"(}, "tasks": {)";
  scenario((head + b + ", " + a + "}}").c_str());
  const nlohmann::json b_is_first = model(sim::Strategy::fifo, 0);
  scenario((head + a + ", " + b + "}}").c_str());
  const Outcome outcome = run({b_is_first});
  EXPECT_EQ(outcome.agreement, Agreement::agree);
  EXPECT_THAT(outcome.reason, HasSubstr("--schedule "));
}

TEST_F(AgreementTest, EveryTranscriptSeenIsNeeded) {
  scenario(kRace);
  nlohmann::json impossible = model(sim::Strategy::fifo, 0);
  impossible["tasks"]["a"][0]["ret"] = 5;
  EXPECT_EQ(run({model(sim::Strategy::fifo, 0), impossible}).agreement, Agreement::differ);
}

TEST_F(AgreementTest, NothingRecorded) {
  scenario(kAlone);
  const Outcome outcome = run(recordings::Recordings());
  EXPECT_EQ(outcome.verdict, Verdict::failed);
  EXPECT_THAT(outcome.reason, HasSubstr("coldread record"));
}

TEST_F(AgreementTest, RecordedOfAnotherVersionOfTheScenario) {
  scenario(kAlone);
  recordings::Recordings recorded;
  recorded.put(kProfile, "folder/x", {"another", {model(sim::Strategy::fifo, 0)}});
  const Outcome outcome = run(recorded);
  EXPECT_EQ(outcome.verdict, Verdict::failed);
  EXPECT_THAT(outcome.reason, HasSubstr("it changed since"));
}

TEST_F(AgreementTest, RacesAreTold) {
  scenario(kRace);
  EXPECT_TRUE(is_race(scenario_, kProfile));
  scenario(kAlone);
  EXPECT_FALSE(is_race(scenario_, kProfile));
}

}  // namespace
}  // namespace coldread::cli
