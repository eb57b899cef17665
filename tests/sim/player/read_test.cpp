// A netfs' read: whole pages, as often as the cache needs, no further than the object.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "sim/sha256.h"
#include "tests/sim/player/fake_syscalls.h"

namespace coldread::player {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kAll = "9223372036854775807";

// A stage whose cache holds blob "b" and whose object is `size` bytes.
struct ReadStage : Stage {
  explicit ReadStage(const std::string& members, int64_t size = 10000)
      : Stage(R"({"do": "read", "cookie": "c")" + members + "}") {
    syscalls.size = size;
    const auto& bytes = scenario.blobs[0].bytes;
    syscalls.cache.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  // The record, after checking that the first call asked for the size.
  Record record() {
    const Record result = play().at(0);
    EXPECT_EQ(syscalls.calls.at(0), "cookie_size 0");
    syscalls.calls.erase(syscalls.calls.begin());
    return result;
  }
  std::string digest(uint64_t from, uint64_t length) const {
    return sha256_of(scenario.blobs[0].bytes, from, length);
  }
};

TEST(Read, ToTheEndOfTheObject) {
  ReadStage stage("");
  const Record record = stage.record();
  EXPECT_EQ(record["ret"], 10000);
  EXPECT_EQ(record["asked"], 10000);
  EXPECT_EQ(record["data"]["length"], 10000);
  EXPECT_EQ(record["data"]["sha256"], stage.digest(0, 10000));
  EXPECT_EQ(record["slices"].dump(), R"([{"length":12288,"offset":0,"source":"READ_FROM_CACHE"}])");
  EXPECT_THAT(
      stage.syscalls.calls,
      ElementsAre(std::string("prepare_read 0 0 12288 ") + kAll + " 1", "cache_read 0 0 12288 2"));
  EXPECT_TRUE(stage.syscalls.aligned);
}

TEST(Read, APartDeliversOnlyThatPart) {
  ReadStage stage(R"(, "offset": 5000, "length": 100)");
  const Record record = stage.record();
  EXPECT_EQ(record["ret"], 100);
  EXPECT_EQ(record["data"]["sha256"], stage.digest(5000, 100));
  EXPECT_EQ(record["slices"].dump(),
            R"([{"length":4096,"offset":4096,"source":"READ_FROM_CACHE"}])");
}

TEST(Read, OnDemandIsNotLimitedByASizeThatMayNotBeKnownYet) {
  ReadStage stage(R"(, "offset": 8192, "length": 4096)", 0);
  EXPECT_EQ(stage.record()["ret"], 4096);
  EXPECT_EQ(stage.syscalls.calls.size(), 2u);
}

TEST(Read, OfADownloadIsShortAtTheEndAndEmptyBehindIt) {
  ReadStage stage(R"(, "offset": 8192, "length": 4096, "download": "b")");
  EXPECT_EQ(stage.record()["ret"], 10000 - 8192);
  for (const char* behind :
       {R"(, "offset": 20000)", R"(, "offset": 20000, "length": 5, "download": "b")"}) {
    ReadStage nothing(behind);
    const Record record = nothing.record();
    EXPECT_EQ(record["ret"], 0);
    EXPECT_EQ(record["data"]["length"], 0);
    EXPECT_THAT(nothing.syscalls.calls, IsEmpty());
  }
}

TEST(Read, InSlicesAndInWhatPrepareReadLeavesOfThem) {
  ReadStage stage(R"(, "slice": 8192)");
  stage.syscalls.prepared = {{Source::read_from_cache, 4096, 0}};
  const Record record = stage.record();
  EXPECT_EQ(record["data"]["sha256"], stage.digest(0, 10000));
  EXPECT_THAT(
      stage.syscalls.calls,
      ElementsAre(
          std::string("prepare_read 0 0 8192 ") + kAll + " 1", "cache_read 0 0 4096 2",
          std::string("prepare_read 0 4096 4096 ") + kAll + " 1", "cache_read 0 4096 4096 2",
          std::string("prepare_read 0 8192 4096 ") + kAll + " 1", "cache_read 0 8192 4096 2"));
}

TEST(Read, ZeroesNeedNoCache) {
  ReadStage stage("");
  stage.syscalls.prepared = {{Source::fill_with_zeroes, 12288, 0}};
  EXPECT_EQ(stage.record()["data"]["sha256"], sha256_of({}, 0, 10000));
  EXPECT_EQ(stage.syscalls.calls.size(), 1u);
}

TEST(Read, WithoutADaemonsHelpFails) {
  for (const Source source :
       {Source::download_from_server, Source::invalid_read, Source::unknown}) {
    ReadStage stage("");
    stage.syscalls.prepared = {{source, 12288, 0}};
    const Record record = stage.record();
    EXPECT_EQ(record["errno"], "EIO");
    EXPECT_EQ(record["slices"][0]["source"], source_name(source));
    EXPECT_FALSE(record.contains("data"));
  }
}

TEST(Read, KeepsTheErrorsOfItsCalls) {
  ReadStage unknown("");
  unknown.syscalls.answers["cookie_size"] = {-EBADF};
  EXPECT_EQ(unknown.record()["errno"], "EBADF");
  ReadStage refused("");
  refused.syscalls.answers["prepare_read"] = {-ENOBUFS};
  EXPECT_EQ(refused.record()["errno"], "ENOBUFS");
  ReadStage hole("");
  hole.syscalls.answers["cache_read"] = {-ENODATA};
  EXPECT_EQ(hole.record()["errno"], "ENODATA");
}

// As EROFS: that prepare_read found it is all it asks for.
TEST(Read, TrustsTheCacheHoweverMuchItSaysItRead) {
  ReadStage cut("");
  cut.syscalls.answers["cache_read"] = {4096};
  const nlohmann::json record = cut.record();
  EXPECT_EQ(record["ret"], record["asked"]);
  ASSERT_EQ(cut.syscalls.trusted.size(), 1u);
  EXPECT_EQ(cut.syscalls.trusted[0].start, 0u);
  EXPECT_EQ(cut.syscalls.trusted[0].length, 12288u);
}

TEST(Read, DoesNotTrustLengths) {
  for (const uint64_t length : {uint64_t{0}, uint64_t{16384}, UINT64_MAX}) {
    ReadStage stage("");
    stage.syscalls.prepared = {{Source::read_from_cache, length, 0}};
    EXPECT_EQ(stage.record()["errno"], "EIO") << length;
  }
}

TEST(Read, DownloadsAndCopiesToTheCache) {
  ReadStage stage(R"(, "download": "b")");
  stage.syscalls.prepared = {{Source::download_from_server, 4096, scenario::kSubrequestCopyToCache},
                             {Source::download_from_server, 8192, 0}};
  const Record record = stage.record();
  EXPECT_EQ(record["data"]["sha256"], stage.digest(0, 10000));
  EXPECT_THAT(stage.syscalls.calls,
              ElementsAre("prepare_read 0 0 12288 10000 0", "cache_write 0 0 4096",
                          "prepare_read 0 4096 8192 10000 0"));
  EXPECT_TRUE(stage.syscalls.aligned);
}

TEST(Read, GoesOnWhenTheCopyFails) {
  ReadStage stage(R"(, "download": "b")");
  stage.syscalls.prepared = {
      {Source::download_from_server, 12288, scenario::kSubrequestCopyToCache}};
  stage.syscalls.answers["cache_write"] = {-ENOSPC};
  const Record record = stage.record();
  EXPECT_EQ(record["ret"], 10000);
  EXPECT_EQ(record["slices"][0]["copy"], "ENOSPC");
}

TEST(Sha256, OfPartsAndOfZerosBehindTheEnd) {
  const std::string text = "xabcx";
  EXPECT_EQ(sha256_of(std::as_bytes(std::span(text)), 1, 3),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of({}, 7, 0),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const std::string zeros(10000, '\0');
  EXPECT_EQ(sha256_of({}, 0, 10000), sha256_of(std::as_bytes(std::span(zeros)), 0, 10000));
}

}  // namespace
}  // namespace coldread::player
