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
  explicit ServeStage(const std::string& options = "")
      : Stage(R"({"do": "serve", "blobs": {"key": "b"})" + options + "}") {}

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

TEST(Serve, GoesOnAfterASignal) {
  ServeStage stage;
  stage.syscalls.answers["poll"] = {-EINTR};
  stage.syscalls.incoming = {close_bytes(1, 5)};
  stage.answers();
  EXPECT_EQ(stage.record["ret"], 0);
  EXPECT_EQ(stage.record["messages"].size(), 1u);
}

TEST(Serve, LateAnswers) {
  ServeStage stage(R"(, "delay_ms": 9)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), close_bytes(2, 1)};
  EXPECT_THAT(stage.answers(),
              ElementsAre("sleep 9", "write 3 copen 0,10000", "sleep 9", "close 9"));
}

TEST(Serve, FillsAPart) {
  ServeStage stage(R"(, "fill": 4096)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 4096, 8192),
                             read_bytes(2, 1, 1 << 20, 4096)};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 copen 0,10000", "pwrite 9 4096 4096",
                                           "ioctl 9" + std::string(kComplete) + "1",
                                           "ioctl 9" + std::string(kComplete) + "2"));
}

TEST(Serve, CompletesWithoutWriting) {
  ServeStage stage(R"(, "fill": 0)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 0, 8192)};
  EXPECT_THAT(stage.answers(),
              ElementsAre("write 3 copen 0,10000", "ioctl 9" + std::string(kComplete) + "1"));
}

TEST(Serve, IgnoresWhatItIsToldTo) {
  ServeStage stage(R"(, "ignore": ["READ", "CLOSE"], "delay_ms": 9)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), read_bytes(1, 1, 0, 4096),
                             close_bytes(2, 1)};
  EXPECT_THAT(stage.answers(), ElementsAre("sleep 9", "write 3 copen 0,10000"));
  EXPECT_EQ(stage.record["messages"].size(), 3u);
  // It has the fd all the same.
  ServeStage silent(R"(, "ignore": ["OPEN"])");
  silent.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), close_bytes(2, 1)};
  EXPECT_THAT(silent.answers(), ElementsAre("close 9"));
}

TEST(Serve, RefusesEveryOpen) {
  ServeStage stage(R"(, "refuse": "EPERM")");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9),
                             open_bytes(1, 2, "erofs,v", "other", 10)};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 copen 0,-1", "write 3 copen 1,-1"));
}

TEST(Serve, ClosesTheFirstFdEarly) {
  ServeStage before(R"(, "close_fd": "before_copen")");
  before.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9),
                              open_bytes(1, 2, "erofs,v", "key", 10)};
  EXPECT_THAT(before.answers(),
              ElementsAre("close 9", "write 3 copen 0,10000", "write 3 copen 1,10000"));
  ServeStage after(R"(, "close_fd": "after_copen")");
  after.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9)};
  EXPECT_THAT(after.answers(), ElementsAre("write 3 copen 0,10000", "close 9"));
}

TEST(Serve, TalksNonsenseFirst) {
  ServeStage stage(R"(, "nonsense": true)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9)};
  stage.syscalls.answers["write"] = {-1, -1, -1, -1, -1};
  stage.syscalls.answers["ioctl"] = {-25};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 hello", "write 3 copen", "write 3 copen 0",
                                           "write 3 copen -1,0", "write 3 copen 4294967295,4096",
                                           "ioctl 3" + std::string(kComplete) + "4294967295",
                                           "write 3 copen 0,10000"));
  EXPECT_EQ(stage.record["ret"], 0);
  ServeStage believed(R"(, "nonsense": true)");
  believed.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9)};
  believed.answers();
  EXPECT_EQ(believed.record["errno"], "EPROTO");
}

TEST(Serve, RestoresFirstAndStopsInTheMiddle) {
  ServeStage stage(R"(, "restore": true, "stop_after": 1)");
  stage.syscalls.incoming = {open_bytes(0, 1, "erofs,v", "key", 9), close_bytes(2, 1)};
  EXPECT_THAT(stage.answers(), ElementsAre("write 3 restore", "write 3 copen 0,10000"));
  EXPECT_EQ(stage.record["ret"], 0);
  EXPECT_EQ(stage.record["messages"].size(), 1u);
  EXPECT_EQ(stage.syscalls.incoming.size(), 1u);
}

}  // namespace
}  // namespace coldread::player
