// One real guest of each kind: boots, reads through an on-demand cache, ends. Skipped where no
// kernel is built.
#include <gtest/gtest.h>

#include "sim/live/guest.h"
#include "sim/player/check.h"
#include "sim/scenario/loader.h"
#include "tests/sim/live/temporary_directory.h"

namespace coldread::live {
namespace {

constexpr const char* kColdRead = R"({
  "version": 1, "title": "A cold read and a warm one.", "kernels": ["6.1.192", "6.12.117"],
  "blobs": {"b": {"pattern": "noise", "seed": 1, "size": 300000}},
  "volumes": {"v": {"key": "test,volume"}},
  "cookies": {"c": {"volume": "v", "key": "object"}},
  "setup": [{"task": "daemon", "do": "bind"}, {"task": "reader", "do": "connect", "cookie": "c"}],
  "tasks": {
    "daemon": [{"do": "serve", "blobs": {"object": "b"}}],
    "reader": [{"do": "settle"}, {"do": "read", "cookie": "c", "slice": 131072},
               {"do": "read", "cookie": "c"}, {"do": "disconnect", "cookie": "c"}]}})";

constexpr const char* kKilledReader = R"({
  "version": 1, "title": "A reader is killed while it waits.", "kernels": ["6.1.192", "6.12.117"],
  "volumes": {"v": {"key": "test,volume"}},
  "cookies": {"c": {"volume": "v", "key": "object"}},
  "setup": [{"task": "daemon", "do": "bind"}, {"task": "reader", "do": "connect", "cookie": "c"},
            {"task": "daemon", "do": "settle"}, {"task": "daemon", "do": "read_message"},
            {"task": "daemon", "do": "copen", "size": 4096}, {"task": "daemon", "do": "settle"}],
  "tasks": {
    "daemon": [{"do": "settle"}, {"do": "read_message", "as": "r"},
               {"do": "kill", "task": "reader"}, {"do": "settle"},
               {"do": "complete", "message": "r"}],
    "reader": [{"do": "prepare_read", "cookie": "c", "length": 4096, "flags": ["ondemand"]}]}})";

constexpr const char* kUnansweredOpen = R"({
  "version": 1, "title": "Nobody answers the OPEN.", "kernels": ["6.1.192", "6.12.117"],
  "volumes": {"v": {"key": "test,volume"}},
  "cookies": {"c": {"volume": "v", "key": "object"}},
  "setup": [{"task": "daemon", "do": "bind"}, {"task": "reader", "do": "connect", "cookie": "c"}],
  "tasks": {
    "daemon": [{"do": "poll"}, {"do": "barrier", "name": "never"}],
    "reader": [{"do": "prepare_read", "cookie": "c", "length": 4096, "flags": ["ondemand"]},
               {"do": "barrier", "name": "never"}]}})";

class RealKernel : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const KernelLookup found = find_kernel(GetParam(), /*cached_only=*/true);
    if (!found.image) GTEST_SKIP() << found.reason;
    image_ = *found.image;
  }
  Result<player::Transcript> play(const char* text) {
    const std::string path = directory_.write("scenario.json", text);
    auto scenario = scenario::load_file(path);
    if (!scenario) return Error{scenario.error()};
    return pool_.play(image_, *scenario, options_);
  }

  KernelImage image_;
  TemporaryDirectory directory_;
  GuestPool pool_;
  GuestOptions options_;
};

TEST_P(RealKernel, ReadsColdAndWarm) {
  const auto transcript = play(kColdRead);
  ASSERT_TRUE(transcript) << transcript.error();
  ASSERT_FALSE(transcript->report) << transcript->to_json().dump(1);
  std::string operations;
  for (const auto& message : transcript->messages())
    operations += message["op"].get<std::string>() + " ";
  EXPECT_EQ(operations, "OPEN READ READ READ CLOSE ");
  EXPECT_EQ(transcript->messages()[0]["fd"], 4);
  EXPECT_EQ(transcript->messages()[3]["length"], 40960);
  const auto& reader = transcript->tasks.at("reader");
  EXPECT_EQ(reader[4]["ret"], 300000);
  EXPECT_EQ(reader[4]["data"], reader[5]["data"]);
  EXPECT_EQ(transcript->disk["cache/Itest,volume"]["fanout"], 256);
  EXPECT_EQ(transcript->disk["graveyard"]["entries"], 0);
}

TEST_P(RealKernel, AKilledReaderTakesItsRequestAlong) {
  const auto transcript = play(kKilledReader);
  ASSERT_TRUE(transcript) << transcript.error();
  EXPECT_FALSE(transcript->report);
  EXPECT_EQ(transcript->tasks.at("daemon").back().value("errno", ""), "EINVAL");
  EXPECT_FALSE(transcript->tasks.at("reader").back().contains("ret"));
  EXPECT_FALSE(transcript->tasks.at("reader").back().contains("waits"));
}

TEST_P(RealKernel, AHangIsShownWithKernelStacksAndTheNextScenarioRuns) {
  options_.hang_after_ms = 1000;
  const auto hung = play(kUnansweredOpen);
  ASSERT_TRUE(hung) << hung.error();
  ASSERT_TRUE(hung->report);
  EXPECT_EQ(hung->report->kind, "hang");
  // As it was when the hang was found: the daemon's end has let the reader go since.
  ASSERT_EQ(hung->tasks.at("reader").size(), 4u);
  EXPECT_EQ(hung->tasks.at("reader").back()["waits"], true);
  std::string details;
  for (const std::string& line : hung->report->details) details += line + "\n";
  EXPECT_NE(details.find("cachefiles_ondemand_send_req"), std::string::npos) << details;
  EXPECT_TRUE(play(kColdRead));
}

TEST_P(RealKernel, WhatCountsFromTheBootIsReadInAFreshKernel) {
  ASSERT_TRUE(play(kColdRead));
  const auto transcript = play(R"({"version": 1, "title": "t", "kernels": ["6.1.192"],
      "volumes": {"v": {"key": "v"}},
      "tasks": {"reader": [{"do": "acquire_volume", "volume": "v"},
                           {"do": "proc", "file": "volumes"}]}})");
  ASSERT_TRUE(transcript) << transcript.error();
  const auto& lines = transcript->tasks.at("reader").back().at("lines");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2], "00000001     1     0   0 00 -               v");
}

TEST_P(RealKernel, AModuleThatDoesNotLoadIsSaidSo) {
  image_.module_path = directory_.write("not_a_module.ko", "nonsense");
  const auto transcript = play(kColdRead);
  ASSERT_FALSE(transcript);
  EXPECT_NE(transcript.error().find("the kernel does not load it"), std::string::npos)
      << transcript.error();
}

INSTANTIATE_TEST_SUITE_P(Kernels, RealKernel, testing::Values("6.1.192", "6.12.117"),
                         [](const auto& kernel) {
                           return std::string(kernel.param) == "6.12.117" ? "Linux6_12"
                                                                          : "Linux6_1";
                         });

}  // namespace
}  // namespace coldread::live
