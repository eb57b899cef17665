// Recordings as files: what is written is read back, and broken files are named.
#include "sim/recordings/recordings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/scenario/loader.h"

namespace coldread::recordings {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class RecordingsTest : public testing::Test {
 protected:
  RecordingsTest() {
    std::string name = (fs::temp_directory_path() / "coldread-test-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~RecordingsTest() override { fs::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) {
    const fs::path path = directory_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  Recordings load() { return *Recordings::load(directory_.string()); }

  fs::path directory_;
};

TEST_F(RecordingsTest, AreReadBackAsTheyWereWritten) {
  Recordings written = load();
  Recording recording{"0123", {}};
  recording.add({{"tasks", 2}});
  recording.add({{"tasks", 1}});
  recording.add({{"tasks", 2}});
  written.put("6.12.117", "folder/name", recording);
  ASSERT_TRUE(written.save().ok());
  const Recordings again = load();
  const Recording* read = again.find("6.12.117", "folder/name");
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->digest, "0123");
  EXPECT_EQ(read->seen, (std::vector<nlohmann::json>{{{"tasks", 1}}, {{"tasks", 2}}}));
  EXPECT_EQ(again.find("6.12.117", "folder/other"), nullptr);
  EXPECT_EQ(again.find("6.1.192", "folder/name"), nullptr);
}

TEST_F(RecordingsTest, OfScenariosThatAreGoneAreDropped) {
  Recordings recordings = load();
  recordings.put("k", "one/a", {"0", {1}});
  recordings.put("k", "two/b", {"0", {1}});
  ASSERT_TRUE(recordings.save().ok());
  Recordings again = load();
  again.keep_only({"one/a"});
  ASSERT_TRUE(again.save().ok());
  EXPECT_TRUE(fs::exists(directory_ / "k/one.jsonl"));
  EXPECT_FALSE(fs::exists(directory_ / "k/two.jsonl"));
}

TEST_F(RecordingsTest, NoDirectoryHasNothingRecorded) {
  const auto recordings = Recordings::load((directory_ / "none").string());
  ASSERT_TRUE(recordings.ok());
  EXPECT_EQ(recordings->find("k", "one/a"), nullptr);
}

TEST_F(RecordingsTest, BrokenFilesAreNamedWithTheLine) {
  const std::string good = R"({"scenario": "a", "digest": "0", "seen": [{}]})";
  for (const std::string bad :
       {"{", "[]", R"({"scenario": "a"})", R"({"scenario": 1, "digest": "0"})",
        R"({"scenario": "a", "digest": "0", "seen": []})"}) {
    const std::string path = write("k/one.jsonl", good + "\n" + bad + "\n");
    const auto recordings = Recordings::load(directory_.string());
    ASSERT_FALSE(recordings.ok()) << bad;
    EXPECT_THAT(recordings.error(), HasSubstr(path + ":2: expected ")) << bad;
  }
}

TEST_F(RecordingsTest, AFileThatCannotBeWrittenIsNamed) {
  write("k", "a file where a directory is needed");
  Recordings recordings = load();
  recordings.put("k", "one/a", {"0", {1}});
  const Status saved = recordings.save();
  ASSERT_FALSE(saved.ok());
  EXPECT_THAT(saved.error(), HasSubstr("k"));
}

TEST(ScenarioName, IsTheFolderAndTheFile) {
  EXPECT_EQ(scenario_name("scenarios/3-read/cold-read.json"), "3-read/cold-read");
  EXPECT_EQ(scenario_name("/a/b/../c/x.y.json"), "c/x.y");
}

std::string digest_of(const std::string& title, const std::string& tasks) {
  const auto scenario =
      scenario::load_text("x", R"({"version": 1, "title": ")" + title +
                                   R"(", "kernels": ["6.12.117"], "tasks": )" + tasks + "}");
  EXPECT_TRUE(scenario.ok()) << (scenario.ok() ? "" : scenario.error());
  return scenario.ok() ? scenario->digest : "";
}

TEST(Digest, IsOfWhatIsPlayed) {
  const std::string first = digest_of("t", R"({"a": [{"do": "settle"}], "b": [{"do": "settle"}]})");
  EXPECT_EQ(first.size(), 16u);
  EXPECT_EQ(digest_of("other", R"({"a": [{"do": "settle", "note": "n", "expect": 0}],
                                   "b": [{"do": "settle"}]})"),
            first);
  EXPECT_NE(digest_of("t", R"({"a": [{"do": "sleep", "ms": 1}], "b": [{"do": "settle"}]})"), first);
  EXPECT_NE(digest_of("t", R"({"b": [{"do": "settle"}], "a": [{"do": "settle"}]})"), first)
      << "tasks begin in their order";
}

}  // namespace
}  // namespace coldread::recordings
