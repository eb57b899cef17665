// The ready-made daemon answers everything, in whole blocks, and goes home when told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/sim/player/fake_syscalls.h"

namespace coldread::player {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kComplete = " 1074042881 ";

struct ServeStage : Stage {
  ServeStage() : Stage(R"({"do": "serve", "blobs": {"key": "b"}})") {}

  // What it did besides waiting and reading.
  std::vector<std::string> answers() {
    record = play().at(0);
    std::vector<std::string> result;
    for (const std::string& call : syscalls.calls)
      if (!call.starts_with("poll") && !call.starts_with("read")) result.push_back(call);
    return result;
  }

  Record record;
};

TEST(Serve, OpensReadsAndCloses) {
  ServeStage stage;
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 5000, 10),
                             close_bytes(2, 1)};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 copen 0,10000", "pwrite 9 4096 4096",
                                           "ioctl 9" + std::string(kComplete) + "1", "close 9"));
  EXPECT_EQ(stage.record["ret"], 0);
  ASSERT_EQ(stage.record["messages"].size(), 3u);
  EXPECT_EQ(stage.record["messages"][1]["off"], 5000);
  EXPECT_EQ(stage.record["messages"][1]["seq"], 1);
  EXPECT_TRUE(stage.syscalls.aligned);
  EXPECT_THAT(stage.syscalls.calls, Contains("poll 3 1 -1 1"));
}

TEST(Serve, WritesNoFurtherThanTheBlobsLastBlock) {
  ServeStage stage;
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 8192, 1 << 20),
                             read_bytes(2, 1, 12288, 4096), read_bytes(3, 1, 0, UINT64_MAX),
                             read_bytes(4, 1, UINT64_MAX, 1)};
  EXPECT_THAT(stage.answers(),
              ElementsAre("write 3 copen 0,10000", "pwrite 9 4096 8192",
                          "ioctl 9" + std::string(kComplete) + "1",
                          "ioctl 9" + std::string(kComplete) + "2", "pwrite 9 12288 0",
                          "ioctl 9" + std::string(kComplete) + "3",
                          "ioctl 9" + std::string(kComplete) + "4"));
}

TEST(Serve, RefusesUnknownKeys) {
  ServeStage stage;
  stage.syscalls.incoming = {open_bytes(7, 1, "erofs,v", "other", 9)};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 copen 7,-2"));
  EXPECT_EQ(stage.record["ret"], 0);
}

TEST(Serve, KnowsWhatWasOpenedBefore) {
  Stage stage(R"({"do": "read_message"}, {"do": "copen", "blob": "b"},
                 {"do": "serve", "blobs": {"key": "b"}})");
  stage.syscalls.incoming = {open_bytes(0, 4, "erofs,v", "key", 9), read_bytes(1, 4, 0, 4096)};
  stage.play();
  EXPECT_THAT(stage.syscalls.calls, Contains("pwrite 9 4096 0"));
}

TEST(Serve, AnswersEvenWhenAWriteFails) {
  ServeStage stage;
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 0, 4096),
                             read_bytes(2, 1, 4096, 4096)};
  stage.syscalls.answers["pwrite"] = {-ENOSPC, 1};
  EXPECT_THAT(stage.answers(), Contains("ioctl 9" + std::string(kComplete) + "2"));
  EXPECT_EQ(stage.record["errno"], "ENOSPC");
}

TEST(Serve, EndsWithTheDevicesErrors) {
  ServeStage broken;
  broken.syscalls.incoming = {"x"};
  broken.syscalls.answers["read"] = {-EIO};
  broken.answers();
  EXPECT_EQ(broken.record["errno"], "EIO");
  ServeStage garbage;
  garbage.syscalls.incoming = {"garbage"};
  garbage.answers();
  EXPECT_EQ(garbage.record["errno"], "EBADMSG");
}

TEST(Serve, IgnoresClosesOfFilesItDoesNotKnow) {
  ServeStage stage;
  stage.syscalls.incoming = {close_bytes(0, 0xffffffff), close_bytes(1, 5)};
  EXPECT_THAT(stage.answers(), Not(Contains(StartsWith("close"))));
  EXPECT_EQ(stage.record["ret"], 0);
}

TEST(Serve, LooksAgainAfterAnEmptyRead) {
  ServeStage stage;
  stage.syscalls.answers["poll"] = {POLLIN, POLLIN};
  stage.syscalls.answers["read"] = {0};
  stage.syscalls.incoming = {close_bytes(1, 5)};
  stage.answers();
  EXPECT_EQ(stage.record["messages"].size(), 1u);
}

}  // namespace
}  // namespace coldread::player
