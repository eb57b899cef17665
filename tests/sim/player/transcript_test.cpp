// Transcripts survive JSON, hide what depends on timing, and are compared member by member.
#include "sim/player/transcript.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/player/check.h"

namespace coldread::player {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Transcript example() {
  Transcript transcript;
  transcript.kernel = "6.12.117";
  transcript.tasks["a"] = {
      {{"step", "/tasks/a/0"}, {"do", "settle"}, {"ret", 0}, {"seq", 1}},
      {{"step", "/tasks/a/1"},
       {"do", "serve"},
       {"ret", 0},
       {"seq", 4},
       {"messages", {{{"op", "OPEN"}, {"seq", 2}}, {{"op", "CLOSE"}, {"seq", 3}}}}}};
  transcript.disk = {{"cache", {{"type", "directory"}}}};
  transcript.report = RunReport{"hang", "a task waits", {"a waits for b"}};
  transcript.events = {"cachefiles_lookup"};
  return transcript;
}

TEST(Transcript, GoesThroughJson) {
  const Transcript transcript = example();
  const auto again = Transcript::from_json(json::parse(transcript.to_json().dump()));
  ASSERT_TRUE(again.ok()) << again.error();
  EXPECT_EQ(again->to_json(), transcript.to_json());
  EXPECT_EQ(again->report->details, transcript.report->details);
  EXPECT_EQ(again->events, transcript.events);

  Transcript bare;
  const auto bare_again = Transcript::from_json(bare.to_json());
  ASSERT_TRUE(bare_again.ok());
  EXPECT_FALSE(bare_again->report);
  EXPECT_FALSE(bare_again->events);
  EXPECT_TRUE(bare_again->disk.is_null());
}

TEST(Transcript, ServingThatHangsBeforeTheFirstMessageIsTheSameWithAndWithoutItsList) {
  Transcript with;
  with.tasks["a"] = {
      {{"step", "/tasks/a/0"}, {"do", "serve"}, {"waits", true}, {"messages", json::array()}}};
  Transcript without = with;
  without.tasks["a"][0].erase("messages");
  EXPECT_EQ(with.canonical(), without.canonical());
}

TEST(Transcript, FromAnythingElseIsAnError) {
  const json good = example().to_json();
  const std::pair<const char*, json> wrong[] = {
      {"/kernel", 7},
      {"/tasks", 7},
      {"/tasks/a", 7},
      {"/tasks/a/0", 7},
      {"/tasks/a/0/step", 7},
      {"/tasks/a/0/do", nullptr},
      {"/disk", 7},
      {"/report", 7},
      {"/report/kind", 7},
      {"/report/text", 7},
      {"/report/details", {7}},
      {"/events", "x"},
  };
  for (const auto& [pointer, value] : wrong) {
    json changed = good;
    changed[json::json_pointer(pointer)] = value;
    const auto read = Transcript::from_json(changed);
    ASSERT_FALSE(read.ok()) << pointer;
    EXPECT_THAT(read.error(), HasSubstr("transcript: /"));
  }
  EXPECT_FALSE(Transcript::from_json(json()).ok());
  EXPECT_FALSE(Transcript::from_json(json::array()).ok());
  EXPECT_FALSE(Transcript::from_json({{"kernel", "k"}}).ok());
}

TEST(Transcript, CanonicalHidesWhatDependsOnTiming) {
  EXPECT_EQ(
      example().canonical().dump(),
      R"({"disk":{"cache":{"type":"directory"}},"report":{"kind":"hang"},"tasks":{"a":[)"
      R"({"do":"settle","ret":0,"step":"/tasks/a/0"},)"
      R"({"do":"serve","messages":[{"op":"OPEN"},{"op":"CLOSE"}],"ret":0,"step":"/tasks/a/1"}]}})");
}

TEST(Transcript, CanonicalKeepsOnlyWhatIsCertainOfUnfinishedCalls) {
  Transcript transcript;
  transcript.tasks["a"] = {
      {{"step", "/tasks/a/0"}, {"do", "read"}, {"waits", true}, {"asked", 5}, {"slices", {1}}}};
  EXPECT_EQ(transcript.canonical()["tasks"]["a"][0].dump(),
            R"({"do":"read","step":"/tasks/a/0","waits":true})");
}

TEST(Transcript, MessagesAreInOrderOfReading) {
  Transcript transcript = example();
  transcript.tasks["b"] = {{{"step", ""}, {"do", ""}, {"message", {{"op", "READ"}}}, {"seq", 2}}};
  transcript.tasks["a"][1]["messages"][0]["seq"] = 1;
  EXPECT_THAT(transcript.messages(),
              ElementsAre(json{{"op", "OPEN"}}, json{{"op", "READ"}}, json{{"op", "CLOSE"}}));
}

TEST(Compare, EqualApartFromTiming) {
  Transcript real = example();
  real.kernel = "6.12.117-1";
  real.tasks["a"][0]["seq"] = 77;
  real.report->text = "blocked for 120 seconds";
  real.events.reset();
  EXPECT_THAT(compare(example(), real), IsEmpty());
}

std::string difference(const std::function<void(Transcript&)>& change) {
  Transcript real = example();
  change(real);
  std::string result;
  for (const Mismatch& each : compare(example(), real))
    result += each.task + " " + each.pointer + ": " + each.expected + " / " + each.got + "\n";
  return result;
}

TEST(Compare, NamesEachDifference) {
  EXPECT_EQ(difference([](Transcript& real) { real.tasks["a"][0]["ret"] = 5; }),
            "a /tasks/a/0/ret: 5 / 0\n");
  EXPECT_EQ(difference([](Transcript& real) {
              real.tasks["a"][0].erase("ret");
              real.tasks["a"][0]["errno"] = "EIO";
            }),
            "a /tasks/a/0/ret: nothing / 0\na /tasks/a/0/errno: \"EIO\" / nothing\n");
  EXPECT_EQ(difference([](Transcript& real) { real.tasks["a"][1]["messages"].erase(1); }),
            "a /tasks/a/1/messages/1: nothing / {\"op\":\"CLOSE\"}\n");
  EXPECT_EQ(difference([](Transcript& real) { real.tasks["b"]; }), "b /tasks/b: [] / nothing\n");
  EXPECT_EQ(difference([](Transcript& real) { real.report.reset(); }),
            " /report: null / {\"kind\":\"hang\"}\n");
  EXPECT_EQ(difference([](Transcript& real) { real.disk["cache"]["type"] = "file"; }),
            " /disk/cache/type: \"file\" / \"directory\"\n");
  EXPECT_EQ(difference([](Transcript& real) { real.disk = nullptr; }), "");
}

}  // namespace
}  // namespace coldread::player
