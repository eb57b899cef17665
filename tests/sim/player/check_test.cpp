// Every kind of expectation, met and unmet, on transcripts made by hand.
#include "sim/player/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/sha256.h"
#include "tests/sim/player/fake_syscalls.h"

namespace coldread::player {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kProfile = "6.12.117";

// Everything of task "names" has gone well.
Transcript transcript(const std::vector<json>& records) {
  Transcript result;
  result.kernel = kProfile;
  result.tasks["names"] = {{{"step", "/tasks/names/steps/0"}, {"do", "open"}, {"ret", 3}},
                           {{"step", "/tasks/names/steps/1"}, {"do", "read_message"}, {"ret", 16}}};
  for (json record : records) {
    record["step"] = "";
    record["do"] = "";
    result.tasks["t"].push_back(std::move(record));
  }
  return result;
}

std::vector<Mismatch> judge(const std::string& steps, const std::vector<json>& records,
                            const std::string& profile = kProfile) {
  return verify(one_task(steps), profile, transcript(records));
}

std::string text(const std::vector<Mismatch>& mismatches) {
  std::string result;
  for (const Mismatch& each : mismatches)
    result += each.task + " " + each.pointer + ": " + each.expected + " / " + each.got + "\n";
  return result;
}

// --- steps without expectation
// -------------------------------------------------------------------------

struct Success {
  const char* step;
  json good;
  json bad;
};

TEST(Verify, WithoutExpectationAStepMustSucceed) {
  const Success cases[] = {
      {R"({"do": "open"})", {{"ret", 3}}, {{"errno", "EBUSY"}}},
      {R"({"do": "command", "text": "x"})", {{"ret", 1}, {"asked", 1}}, {{"ret", 0}, {"asked", 1}}},
      {R"({"do": "copen", "size": 1})", {{"ret", 9}, {"asked", 9}}, {{"errno", "EINVAL"}}},
      {R"({"do": "read_message"})", {{"ret", 16}}, {{"ret", 0}}},
      {R"({"do": "poll"})", {{"ret", 1}}, {{"ret", 0}}},
      {R"({"do": "pwrite", "fd": "dev", "blob": "b"})", {{"ret", 10000}}, {{"ret", 4096}}},
      {R"({"do": "write", "fd": "dev", "blob": "b"})", {{"ret", 10000}}, {{"ret", 10001}}},
      {R"({"do": "cache_read", "cookie": "c", "length": 5})", {{"ret", 5}}, {{"ret", 4}}},
      {R"({"do": "cache_write", "cookie": "c", "blob": "b"})", {{"ret", 10000}}, {{"ret", 0}}},
      {R"({"do": "read", "cookie": "c"})", {{"ret", 7}, {"asked", 7}}, {{"errno", "EIO"}}},
      {R"({"do": "lseek", "fd": "dev"})", {{"ret", 0}}, {{"skipped", "no file"}}},
      {R"({"do": "settle"})", {{"ret", 0}}, {{"waits", true}}},
      {R"({"do": "settle"})", {{"ret", 0}}, json::object()},
      {R"({"do": "serve", "blobs": {}})", {{"ret", 0}}, {{"ret", "0"}}},
  };
  for (const Success& each : cases) {
    EXPECT_EQ(text(judge(each.step, {each.good})), "") << each.step;
    const auto found = judge(each.step, {each.bad});
    ASSERT_THAT(found, SizeIs(1)) << each.step;
    EXPECT_EQ(found[0].pointer, "/tasks/t/0");
    EXPECT_EQ(found[0].task, "t");
  }
}

TEST(Verify, SaysWhatWasGot) {
  const std::string poll = R"({"do": "poll"})";
  EXPECT_EQ(text(judge(poll, {{{"ret", 0}}})), "t /tasks/t/0: an event / 0\n");
  EXPECT_EQ(text(judge(poll, {{{"errno", "EIO"}}})), "t /tasks/t/0: an event / EIO\n");
  EXPECT_EQ(text(judge(poll, {{{"waits", true}}})), "t /tasks/t/0: an event / still waiting\n");
  EXPECT_EQ(text(judge(poll, {})), "t /tasks/t/0: to be reached / never begun\n");
  EXPECT_EQ(text(judge(R"({"do": "complete"})", {{{"skipped", "no message \"m\""}}})),
            "t /tasks/t/0: success / skipped: no message \"m\"\n");
  EXPECT_EQ(text(judge(R"({"do": "command", "text": "abc"})", {{{"ret", 1}, {"asked", 3}}})),
            "t /tasks/t/0: success (3) / 1\n");
}

TEST(Verify, SaysOnceThatATaskStopped) {
  const std::string steps = R"({"do": "settle"}, {"do": "poll"}, {"do": "settle"})";
  EXPECT_EQ(text(judge(steps, {{{"ret", 0}}, {{"waits", true}}})),
            "t /tasks/t/1: an event / still waiting\n");
  EXPECT_EQ(text(judge(steps, {{{"ret", 0}}})), "t /tasks/t/1: to be reached / never begun\n");
}

// --- expectations on a step
// -------------------------------------------------------------------------------

struct Expectation {
  const char* verb;  // with its members
  const char* expect;
  json good;
  json bad;
  const char* mismatch;  // of the bad one, behind "/expect"
};

json message(const char* op, uint64_t off) {
  return {{"op", op}, {"id", 4}, {"object", 1}, {"off", off}};
}

const Expectation kExpectations[] = {
    {R"("do": "poll")", "0", {{"ret", 0}}, {{"ret", 1}}, ": 0 / 1"},
    {R"("do": "poll")", "0", {{"ret", 0}}, {{"errno", "EIO"}}, ": 0 / EIO"},
    {R"("do": "poll")", R"("EIO")", {{"errno", "EIO"}}, {{"errno", "EPERM"}}, ": EIO / EPERM"},
    {R"("do": "poll")", R"("EIO")", {{"errno", "EIO"}}, {{"skipped", "x"}}, ": EIO / skipped: x"},
    {R"("do": "poll")", R"({"ret": 1})", {{"ret", 1}}, {{"ret", 0}}, "/ret: 1 / 0"},
    {R"("do": "poll")", R"({"errno": "EIO"})", {{"errno", "EIO"}}, {{"ret", 0}}, "/errno: EIO / 0"},
    {R"("do": "poll")",
     R"({"waits": true})",
     {{"waits", true}},
     {{"ret", 0}},
     ": still waiting / 0"},
    {R"("do": "poll")",
     R"({"killed": true})",
     json::object(),
     {{"waits", true}},
     ": killed / still waiting"},
    {R"("do": "poll")",
     R"({"events": ["out", "in"]})",
     {{"ret", 1}, {"events", {"in", "out"}}},
     {{"ret", 1}, {"events", {"in"}}},
     R"(/events: ["out","in"] / ["in"])"},
    {R"("do": "poll")",
     R"({"events": []})",
     {{"ret", 0}, {"events", json::array()}},
     {{"ret", 1}, {"events", {"in"}}},
     R"(/events: [] / ["in"])"},
    {R"("do": "read_message")",
     R"({"message": {"op": "READ", "off": "0x8000000000000000"}})",
     {{"ret", 32}, {"message", message("READ", uint64_t{1} << 63)}},
     {{"ret", 32}, {"message", message("READ", 4096)}},
     "/message/off: 0x8000000000000000 / 4096"},
    {R"("do": "read_message")",
     R"({"message": {"op": "OPEN"}})",
     {{"ret", 32}, {"message", message("OPEN", 0)}},
     {{"ret", 32}, {"message", message("CLOSE", 0)}},
     "/message/op: OPEN / CLOSE"},
    {R"("do": "read_message")",
     R"({"message": {"op": "OPEN"}})",
     {{"ret", 32}, {"message", message("OPEN", 0)}},
     {{"ret", 0}},
     "/message/op: OPEN / nothing"},
    {R"("do": "read_message")",
     R"({"text": "cull=0"})",
     {{"ret", 6}, {"text", "cull=0"}},
     {{"ret", 6}, {"text", "cull=1"}},
     "/text: cull=0 / cull=1"},
    {R"("do": "read_message")",
     R"({"text": "cull=0"})",
     {{"ret", 6}, {"text", "cull=0"}},
     {{"errno", "EIO"}},
     R"(: {"text":"cull=0"} / EIO)"},
    {R"("do": "prepare_read", "cookie": "c", "length": 1)",
     R"({"source": "INVALID_READ"})",
     {{"ret", 0}, {"source", "INVALID_READ"}},
     {{"ret", 0}, {"source", "READ_FROM_CACHE"}},
     "/source: INVALID_READ / READ_FROM_CACHE"},
    {R"("do": "prepare_read", "cookie": "c", "length": 1)",
     R"({"length": 4096})",
     {{"ret", 0}, {"length", 4096}},
     {{"ret", 0}, {"length", 1}},
     "/length: 4096 / 1"},
    {R"("do": "prepare_read", "cookie": "c", "length": 1)",
     R"({"flags": ["copy_to_cache", "ondemand"]})",
     {{"ret", 0}, {"flags", {"ondemand", "copy_to_cache"}}},
     {{"ret", 0}, {"flags", json::array()}},
     R"(/flags: ["copy_to_cache","ondemand"] / [])"},
    {R"("do": "read", "cookie": "c")",
     R"({"slices": [{"length": 4096}]})",
     {{"ret", 0}, {"slices", {{{"length", 4096}, {"offset", 0}}}}},
     {{"ret", 0}, {"slices", {{{"length", 4096}}, {{"length", 1}}}}},
     R"(/slices/1: nothing / {"length":1})"},
    {R"("do": "read", "cookie": "c")",
     R"({"errno": "EIO", "slices": [{"length": 4096}]})",
     {{"errno", "EIO"}, {"slices", {{{"length", 4096}}}}},
     {{"errno", "EIO"}, {"slices", json::array()}},
     R"(/slices/0: {"length":4096} / nothing)"},
    {R"("do": "serve", "blobs": {})",
     R"({"messages": [{"op": "OPEN"}]})",
     {{"ret", 0}, {"messages", {message("OPEN", 0)}}},
     {{"ret", 0}, {"messages", {message("READ", 0)}}},
     "/messages/0/op: OPEN / READ"},
    {R"("do": "poll")",
     R"({"one_of": [0, "EIO"]})",
     {{"errno", "EIO"}},
     {{"ret", 1}},
     "/one_of: one of 0 | EIO / 1"},
    {R"("do": "poll")",
     R"({"by_kernel": {"6.1.192": 1, "*": 0}})",
     {{"ret", 0}},
     {{"ret", 1}},
     "/by_kernel/*: 0 / 1"},
    {R"("do": "poll")",
     R"({"by_kernel": {"6.12.117": {"one_of": [0, 2]}, "*": 1}})",
     {{"ret", 2}},
     {{"ret", 1}},
     "/by_kernel/6.12.117/one_of: one of 0 | 2 / 1"},
    {R"("do": "poll")",
     R"({"one_of": [{"by_kernel": {"*": 0}}, "EIO"]})",
     {{"ret", 0}},
     {{"ret", 1}},
     "/one_of: one of 0 | EIO"},
};

TEST(Verify, EachKindOfExpectation) {
  for (const Expectation& each : kExpectations) {
    const std::string step = std::string("{") + each.verb + ", \"expect\": " + each.expect + "}";
    EXPECT_EQ(text(judge(step, {each.good})), "") << step;
    const auto found = judge(step, {each.bad});
    ASSERT_THAT(found, SizeIs(1)) << step;
    EXPECT_THAT(text(found), HasSubstr("t /tasks/t/0/expect" + std::string(each.mismatch)));
  }
}

TEST(Verify, TheProfileChoosesAmongKernels) {
  const std::string step = R"({"do": "poll", "expect": {"by_kernel": {"6.1.192": 1, "*": 0}}})";
  EXPECT_THAT(judge(step, {{{"ret", 1}}}, "6.1.192"), IsEmpty());
  EXPECT_THAT(judge(step, {{{"ret", 1}}}, "6.12.117"), SizeIs(1));
  const std::string named =
      R"({"do": "poll", "expect": {"by_kernel": {"6.1.192": 1, "6.12.117": 0}}})";
  EXPECT_THAT(text(judge(named, {{{"ret", 1}}}, "6.6")), HasSubstr("an expectation for 6.6"));
}

TEST(Verify, EveryWrongMemberIsNamed) {
  const auto found =
      judge(R"({"do": "read_message", "expect": {"message": {"op": "READ", "off": 0, "id": 4}}})",
            {{{"ret", 32}, {"message", message("OPEN", 9)}}});
  EXPECT_EQ(text(found),
            "t /tasks/t/0/expect/message/off: 0 / 9\n"
            "t /tasks/t/0/expect/message/op: READ / OPEN\n");
}

TEST(Verify, Data) {
  const auto scenario = one_task("");
  const auto& bytes = scenario.blobs[0].bytes;
  const auto record = [](uint64_t length, const std::string& digest) {
    return json{{"ret", length}, {"data", {{"length", length}, {"sha256", digest}}}};
  };
  const auto read = [](const std::string& data) {
    return R"({"do": "read", "cookie": "c", "offset": 4096, "expect": {"data": )" + data + "}}";
  };
  const std::string blob = read(R"({"blob": "b"})");
  EXPECT_THAT(judge(blob, {record(100, sha256_of(bytes, 4096, 100))}), IsEmpty());
  EXPECT_EQ(judge(blob, {record(100, sha256_of(bytes, 0, 100))}).at(0).pointer,
            "/tasks/t/0/expect/data");
  const std::string moved = read(R"({"blob": "b", "offset": 1})");
  EXPECT_THAT(judge(moved, {record(100, sha256_of(bytes, 1, 100))}), IsEmpty());
  EXPECT_THAT(judge(moved, {record(100, sha256_of(bytes, 4096, 100))}), SizeIs(1));
  const std::string zeros = read(R"("zeros")");
  EXPECT_THAT(judge(zeros, {record(100, sha256_of({}, 0, 100))}), IsEmpty());
  EXPECT_THAT(judge(zeros, {record(100, sha256_of(bytes, 0, 100))}), SizeIs(1));
  const std::string digest =
      read(R"({"sha256": "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"})");
  EXPECT_THAT(
      judge(digest,
            {record(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")}),
      IsEmpty());
  EXPECT_THAT(judge(digest, {record(3, "")}), SizeIs(1));
  EXPECT_THAT(text(judge(zeros, {{{"ret", 0}}})), HasSubstr("zeros / nothing"));
}

// --- final expectations
// -------------------------------------------------------------------------------------

std::vector<Mismatch> judge_end(const std::string& expect, const Transcript& run) {
  return verify(one_task("", R"(, "expect": )" + expect), kProfile, run);
}

TEST(VerifyEnd, MessagesOfAllTasksInOrder) {
  Transcript run = transcript({});
  run.tasks["names"][1]["message"] = message("READ", 7);
  run.tasks["names"][1]["seq"] = 5;
  run.tasks["names"][0]["messages"] = {message("OPEN", 0), message("CLOSE", 0)};
  run.tasks["names"][0]["messages"][0]["seq"] = 1;
  run.tasks["names"][0]["messages"][1]["seq"] = 9;
  run.tasks["names"][0]["seq"] = 10;
  EXPECT_EQ(
      text(judge_end(R"({"messages": [{"op": "OPEN"}, {"op": "READ", "off": 7}, {"op": "CLOSE"}]})",
                     run)),
      "");
  EXPECT_EQ(text(judge_end(R"({"messages": [{"op": "OPEN"}, {"op": "READ", "off": 8}]})", run)),
            " /expect/messages/1/off: 8 / 7\n"
            " /expect/messages/2: nothing / {\"id\":4,\"object\":1,\"off\":0,\"op\":\"CLOSE\"}\n");
}

TEST(VerifyEnd, Disk) {
  Transcript run = transcript({});
  run.disk = {{"cache", {{"type", "directory"}, {"mode", "0700"}}},
              {"cache/a", {{"type", "file"}, {"size", 4096}, {"data", {{0, 4096}}}}}};
  EXPECT_EQ(text(judge_end(
                R"({"disk": {"cache": {"mode": "0700"}, "cache/a": {"data": [[0, 4096]]}}})", run)),
            "");
  EXPECT_EQ(
      text(judge_end(R"({"disk": {"cache": {}, "cache/a": {"data": [["0x0", "0x1000"]]}}})", run)),
      "");
  EXPECT_EQ(text(judge_end(R"({"disk": {"cache": {"mode": "0755"}, "graveyard": {}}})", run)),
            " /expect/disk/cache/mode: 0755 / 0700\n"
            " /expect/disk/graveyard: {} / nothing\n"
            " /expect/disk/cache~1a: nothing / "
            "{\"data\":[[0,4096]],\"size\":4096,\"type\":\"file\"}\n");
  const std::string choice =
      R"({"disk": {"cache": {"by_kernel": {"6.1.192": {"mode": "0000"}, "*": {"mode": "0700"}}},
                   "cache/a": {"one_of": [{"size": 0}, {"size": 4096}]}}})";
  EXPECT_EQ(text(judge_end(choice, run)), "");
  EXPECT_THAT(verify(one_task("", R"(, "expect": )" + choice), "6.1.192", run), SizeIs(1));
  EXPECT_THAT(text(judge_end(R"({"disk": {}})", transcript({}))), HasSubstr("nobody looked"));
}

TEST(VerifyEnd, EventsAreASubsequence) {
  const std::string expect = R"({"events": ["a", "b"]})";
  Transcript run = transcript({});
  EXPECT_EQ(text(judge_end(expect, run)), "");  // not traced
  run.events = {"x: ", "a: 1", "y: 2", "b: 3"};
  EXPECT_EQ(text(judge_end(expect, run)), "");
  run.events = {"b: ", "a: ", "x: "};
  EXPECT_EQ(text(judge_end(expect, run)),
            " /expect/events/1: b / no such event after the one before\n");
  run.events = {"a: o=1 [0] n=7", "bb: 1", "b: 2"};
  EXPECT_EQ(text(judge_end(R"({"events": ["a: o=1 [0] n=*", "b: 2"]})", run)), "");
  EXPECT_THAT(text(judge_end(R"({"events": ["a: o=1 0 n=*"]})", run)), HasSubstr("no such event"));
  EXPECT_THAT(text(judge_end(R"({"events": ["a: o=1"]})", run)), HasSubstr("no such event"));
  run.events.emplace();
  EXPECT_EQ(text(judge_end(expect, run)), " /expect/events/0: a / no such event\n");
}

TEST(Comparable, HasTheEventsThatTheScenarioNamesWithoutInodes) {
  Transcript run = transcript({});
  const auto scenario =
      one_task("", R"(, "expect": {"events": {"by_kernel": {"*": ["a", "b: B=*"]}}})");
  EXPECT_FALSE(comparable(scenario, run).contains("events"));  // not traced
  run.events = {"b: dB=1f sB=20", "c: o=1", "a: o=00000001 B=0 e=-2", "bb: 1"};
  EXPECT_EQ(comparable(scenario, run)["events"], json({"b: dB=* sB=*", "a: o=00000001 B=* e=-2"}));
  EXPECT_EQ(comparable(one_task(""), run), run.canonical());  // none is named

  Transcript other = run;
  other.events = {"a: o=00000001 B=7 e=-2", "b: dB=1f sB=20"};
  EXPECT_EQ(text(compare(comparable(scenario, run), comparable(scenario, other))).substr(0, 12),
            " /events/0: ");
  other.events.reset();
  EXPECT_THAT(compare(comparable(scenario, run), comparable(scenario, other)), IsEmpty());
}

TEST(VerifyEnd, Reports) {
  Transcript run = transcript({});
  EXPECT_EQ(text(judge_end(R"({"report": "none"})", run)), "");
  EXPECT_EQ(text(judge_end(R"({"report": "leak"})", run)),
            " /expect/report: report \"leak\" / no report\n");
  run.report = RunReport{"leak", "one fd", {}};
  EXPECT_EQ(text(judge_end(R"({"report": "leak"})", run)), "");
  EXPECT_EQ(text(judge_end("{}", run)), " /expect/report: no report / leak: one fd\n");
  EXPECT_EQ(text(judge_end(R"({"report": {"by_kernel": {"6.1.192": "none", "*": "leak"}}})", run)),
            "");
  EXPECT_EQ(text(judge_end(R"({"report": {"one_of": ["none", "hang"]}})", run)),
            " /expect/report/one_of: one of none | hang / leak: one fd\n");
}

// --- runs that ended early
// -------------------------------------------------------------------------------

TEST(VerifyEarlyEnd, AReportExcusesWhatWasCutShort) {
  const auto scenario = one_task(R"({"do": "poll", "expect": 0}, {"do": "settle"})",
                                 R"(, "expect": {"report": "use-after-free", "disk": {}})");
  Transcript run = transcript({json::object()});
  run.report = RunReport{"use-after-free", "", {}};
  EXPECT_EQ(text(verify(scenario, kProfile, run)), "");
  run.tasks["t"][0]["ret"] = 1;  // what came back is judged all the same
  EXPECT_THAT(verify(scenario, kProfile, run), SizeIs(1));
}

TEST(VerifyEarlyEnd, AHangExcusesNothingButWhatComesAfterIt) {
  const auto with = [](const char* expect) {
    return one_task(std::string(R"({"do": "poll")") + expect + R"(}, {"do": "settle"})",
                    R"(, "expect": {"report": "hang"})");
  };
  Transcript run = transcript({{{"waits", true}}});
  run.report = RunReport{"hang", "", {}};
  EXPECT_EQ(text(verify(with(R"(, "expect": {"waits": true})"), kProfile, run)), "");
  EXPECT_EQ(text(verify(with(""), kProfile, run)), "t /tasks/t/0: an event / still waiting\n");
}

TEST(VerifyEarlyEnd, AKillExcusesTheKilled) {
  const auto load = [](const std::string& expect) {
    auto loaded = scenario::load_text("t", R"({"version": 1, "title": "t", "kernels": ["k"],
        "tasks": {"killer": [{"do": "kill", "task": "victim"}],
                  "victim": [{"do": "sleep", "ms": 1)" +
                                               expect + R"(}, {"do": "settle"}]}})");
    EXPECT_TRUE(loaded.ok()) << loaded.error();
    return std::move(*loaded);
  };
  const Record begun = {{"step", ""}, {"do", "sleep"}};
  Transcript run;
  run.tasks["killer"] = {{{"step", ""}, {"do", "kill"}, {"ret", 0}}};
  run.tasks["victim"] = {begun};
  EXPECT_EQ(text(verify(load(""), "k", run)), "");
  EXPECT_EQ(text(verify(load(R"(, "expect": {"killed": true})"), "k", run)), "");
  EXPECT_EQ(text(verify(load(R"(, "expect": 0)"), "k", run)),
            "victim /tasks/victim/0/expect: 0 / killed while it waited\n");
  run.tasks["victim"].clear();
  EXPECT_EQ(text(verify(load(""), "k", run)), "");
  run.tasks["victim"] = {begun};
  run.tasks["victim"][0]["waits"] = true;  // it survived
  EXPECT_THAT(verify(load(""), "k", run), SizeIs(1));
  run.tasks["victim"] = {begun};
  run.tasks["killer"][0] = {{"step", ""}, {"do", "kill"}, {"errno", "ESRCH"}};
  EXPECT_THAT(verify(load(""), "k", run), SizeIs(2));
}

}  // namespace
}  // namespace coldread::player
