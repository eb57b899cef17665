// The command's parts on their own: what is hard to reach from outside.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "sim/cli/batch.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/outcome.h"
#include "sim/cli/output_file.h"
#include "sim/cli/reporter.h"
#include "sim/cli/run_request.h"
#include "sim/cli/served_mounts.h"
#include "sim/cli/xml_text.h"

namespace coldread::cli {
namespace {

ExitCode exit_code_of(const std::vector<Verdict>& verdicts) {
  Summary summary;
  for (const Verdict verdict : verdicts) {
    Outcome outcome;
    outcome.verdict = verdict;
    summary.add(outcome);
  }
  return summary.exit_code();
}

TEST(ServedMounts, AreFoundByTypeAndHaveTheirNames) {
  std::istringstream mountinfo(
      "36 35 98:0 / /mnt rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
      "37 35 0:50 / /srv/a\\040user/x\\134y rw,nosuid - fuse.coldread coldread rw\n"
      "38 35 0:51 / /other\\04 rw - fuse.coldread coldread rw\n"
      "39 35 0:52 / /image ro - fuse.erofs none ro\n"
      "no such line\n");
  EXPECT_THAT(served_mounts(mountinfo), testing::ElementsAre("/srv/a user/x\\y", "/other\\04"));
}

TEST(ExitCode, TheWorstWins) {
  EXPECT_EQ(exit_code_of({Verdict::passed, Verdict::skipped}), kPassed);
  EXPECT_EQ(exit_code_of({Verdict::skipped, Verdict::skipped}), kAllSkipped);
  EXPECT_EQ(exit_code_of({}), kAllSkipped);
  // 2 > 5 > 3 > 4 > 1
  std::vector<Verdict> all = {Verdict::passed, Verdict::skipped, Verdict::failed};
  EXPECT_EQ(exit_code_of(all), kWrongAnswer);
  all.push_back(Verdict::hung);
  EXPECT_EQ(exit_code_of(all), kHang);
  all.push_back(Verdict::broken);
  EXPECT_EQ(exit_code_of(all), kBrokenInvariant);
  all.push_back(Verdict::environment);
  EXPECT_EQ(exit_code_of(all), kEnvironmentFailed);
  all.push_back(Verdict::bad_input);
  EXPECT_EQ(exit_code_of(all), kBadInput);
}

TEST(XmlText, EscapesAndReplaces) {
  EXPECT_EQ(xml_text("a<b>&\"\n\t"), "a&lt;b&gt;&amp;&quot;&#10;&#9;");
  EXPECT_EQ(xml_text("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(xml_text(std::string("\0", 1)), replaced);
  EXPECT_EQ(xml_text("\x1b["), replaced + "[");
  EXPECT_EQ(xml_text("\xe9t"), replaced + "t");                         // Latin-1
  EXPECT_EQ(xml_text("\xc0\x80"), replaced + replaced);                 // overlong
  EXPECT_EQ(xml_text("\xed\xa0\x80"), replaced + replaced + replaced);  // a surrogate
  EXPECT_EQ(xml_text("\xef\xbf\xbf"), replaced + replaced + replaced);  // U+FFFF
  EXPECT_EQ(xml_text("\xe2\x82"), replaced + replaced);                 // cut off
}

TEST(Filter, SubstringOrGlob) {
  EXPECT_TRUE(matches_filter("scenarios/cold/read.json", ""));
  EXPECT_TRUE(matches_filter("scenarios/cold/read.json", "cold/r"));
  EXPECT_FALSE(matches_filter("scenarios/cold/read.json", "warm"));
  EXPECT_TRUE(matches_filter("scenarios/cold/read.json", "*/cold/*"));
  EXPECT_TRUE(matches_filter("scenarios/cold/read.json", "cold/*.json"));
  EXPECT_TRUE(matches_filter("scenarios/cold/read.json", "re[a-c]d.json"));
  EXPECT_FALSE(matches_filter("scenarios/cold/read.json", "rea?"));
}

TEST(RepeatCommand, IsReadyForAShell) {
  RunRequest request;
  EXPECT_EQ(repeat_command(request, "a b'c.json", "6.1.192"),
            "coldread run 'a b'\\''c.json' --kernel 6.1.192 --seed 1 --strategy fifo");
  request.seed = 7;
  request.strategy = sim::Strategy::random;
  request.on = Target::kernel;
  request.compare = true;
  request.hang_after = 3;
  EXPECT_EQ(repeat_command(request, "a.json", "6.1.192"),
            "coldread run a.json --kernel 6.1.192 --seed 7 --strategy random --on kernel --compare "
            "--hang-after 3");

  RunRequest schedule;
  schedule.schedule = sim::Schedule{{12, 1}};
  schedule.daemon_choices = true;
  EXPECT_EQ(repeat_command(schedule, "a.json", "6.1.192"),
            "coldread run a.json --kernel 6.1.192 --schedule 12:1 --daemon-choices");
}

TEST(Batch, TakesInOrderWhateverEndsFirst) {
  const std::atomic<bool> stop{false};
  std::atomic<bool> second_done{false};
  std::vector<size_t> taken;
  run_batch<size_t>(
      20, 4, stop,
      [&](size_t i) {
        if (i == 1) second_done = true;
        if (i == 0) {
          while (!second_done)
            std::this_thread::yield();  // the first can only end after the second
        }
        return i * i;
      },
      [&](size_t i, size_t square) {
        EXPECT_EQ(square, i * i);
        taken.push_back(i);
      });
  ASSERT_EQ(taken.size(), 20u);
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
}

TEST(Batch, StopsWithoutGaps) {
  std::atomic<bool> stop{false};
  std::vector<size_t> taken;
  run_batch<size_t>(
      1000, 3, stop,
      [&](size_t i) {
        if (i == 10) stop = true;
        return i;
      },
      [&](size_t i, size_t) { taken.push_back(i); });
  ASSERT_GE(taken.size(), 11u);  // what began is taken
  EXPECT_LT(taken.size(), 20u);
  for (size_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken[i], i);
}

class OutputFileTest : public testing::Test {
 protected:
  OutputFileTest() {
    std::string name = std::filesystem::temp_directory_path() / "coldread-out-XXXXXX";
    directory_ = mkdtemp(name.data());
    target_ = directory_ / "file";
    std::ofstream(target_) << "old";
  }
  ~OutputFileTest() override { std::filesystem::remove_all(directory_); }

  std::string text() const {
    std::ifstream file(target_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  auto files() const { return std::distance(std::filesystem::directory_iterator(directory_), {}); }

  std::filesystem::path directory_;
  std::filesystem::path target_;
};

TEST_F(OutputFileTest, ReplacesWhenCommitted) {
  {
    Result<OutputFile> file = OutputFile::create(target_);
    ASSERT_TRUE(file.ok());
    file->write("new");
    EXPECT_EQ(text(), "old");
    EXPECT_TRUE(file->commit().ok());
  }
  EXPECT_EQ(text(), "new");
  EXPECT_EQ(files(), 1);
}

TEST_F(OutputFileTest, LeavesNothingWhenNotCommitted) {
  {
    Result<OutputFile> file = OutputFile::create(target_);
    ASSERT_TRUE(file.ok());
    file->write("new");
  }
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(files(), 1);
}

// A write that fails half-way, as on a full disk: here the limit on file sizes does it.
TEST_F(OutputFileTest, LeavesNothingWhenAWriteFails) {
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {1 << 16, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  {
    Result<OutputFile> file = OutputFile::create(target_);
    ASSERT_TRUE(file.ok());
    for (int i = 0; i < 100; ++i) file->write(std::string(4096, 'x'));
    const Status status = file->commit();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.error(), testing::HasSubstr("cannot write"));
  }
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(text(), "old");
  EXPECT_EQ(files(), 1);
}

}  // namespace
}  // namespace coldread::cli
