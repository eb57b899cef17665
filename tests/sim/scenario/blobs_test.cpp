// Contents by pattern are the same everywhere; contents from files are found, or the scenario says
// what is missing.
#include "sim/scenario/blobs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "sim/scenario/loader.h"
#include "tests/sim/scenario/documents.h"

namespace coldread::scenario {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BlobFiles : public ::testing::Test {
 protected:
  BlobFiles() {
    std::string name = (fs::temp_directory_path() / "coldread-blobs-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    fs::create_directories(directory_ / "own");
    fs::create_directories(directory_ / "built");
  }
  ~BlobFiles() override { fs::remove_all(directory_); }

  void write(const fs::path& path, const std::string& text) const {
    std::ofstream(directory_ / path) << text;
  }

  Result<Scenario> load(const std::string& file) const {
    LoadOptions options;
    options.blob_directories = {directory_ / "built"};
    return load_text((directory_ / "own" / "test.json").string(),
                     document_with("/blobs/x", R"({"file": ")" + file + R"("})"), options);
  }

  fs::path directory_;
};

std::vector<std::byte> blob(const std::string& json) {
  const auto loaded = load_text("t", document_with("/blobs/x", json));
  if (!loaded) {
    ADD_FAILURE() << loaded.error();
    return {};
  }
  return loaded->blobs[1].bytes;
}

TEST(Blobs, Patterns) {
  EXPECT_EQ(hex_text(blob(R"({"pattern": "zeros", "size": 3})")), "000000");
  EXPECT_EQ(hex_text(blob(R"({"pattern": "counter", "size": 18})")),
            "0000000000000000"
            "0100000000000000"
            "0200");
  // splitmix64 from 0: its published first two outputs.
  EXPECT_EQ(hex_text(blob(R"({"pattern": "noise", "size": 12})")), "afcd1d7b39a820e2f465b9a1");
  EXPECT_NE(blob(R"({"pattern": "noise", "size": 16, "seed": 1})"),
            blob(R"({"pattern": "noise", "size": 16, "seed": 2})"));
  EXPECT_TRUE(blob(R"({"pattern": "counter", "size": 0})").empty());
}

TEST_F(BlobFiles, AreLookedForBesideTheScenarioFirst) {
  write("own/a", "mine");
  write("built/a", "made");
  write("built/b", "made too");
  auto loaded = load("a");
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(key_text(loaded->blobs[1].bytes), "mine");
  loaded = load("b");
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(key_text(loaded->blobs[1].bytes), "made too");
  EXPECT_EQ(loaded->unavailable, "");
}

TEST_F(BlobFiles, MissingOnesMakeTheScenarioUnavailable) {
  const auto loaded = load("none");
  ASSERT_TRUE(loaded.ok()) << loaded.error();
  EXPECT_EQ(loaded->unavailable, "blob \"x\": no file \"none\" in " +
                                     (directory_ / "own").string() + ", " +
                                     (directory_ / "built").string());
}

TEST_F(BlobFiles, UnreadableOnesAreErrors) {
  fs::create_directories(directory_ / "own/dir");
  EXPECT_THAT(load("dir").error(), HasSubstr("/blobs/x/file: expected a regular file"));
  ASSERT_EQ(mkfifo((directory_ / "own/fifo").c_str(), 0600), 0);
  EXPECT_THAT(load("fifo").error(), HasSubstr("expected a regular file"));
  fs::create_symlink("loop", directory_ / "own/loop");
  EXPECT_THAT(load("loop").error(), HasSubstr("expected a readable file"));
  if (geteuid() == 0) return;  // root may read everything
  write("own/secret", "x");
  fs::permissions(directory_ / "own/secret", fs::perms::none);
  EXPECT_THAT(load("secret").error(), HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace coldread::scenario
