// What a file says is what the scenario holds, and what is wrong with it is said in one sentence.
#include "sim/scenario/loader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>

#include "tests/sim/scenario/documents.h"

namespace coldread::scenario {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Scenario load(const std::string& text) {
  auto loaded = load_text("dir/test.json", text);
  if (!loaded) {
    ADD_FAILURE() << loaded.error();
    return {};
  }
  return std::move(*loaded);
}

// The step that `json` makes at the end of task "d".
Step step(const std::string& json) {
  const Scenario scenario = load(document_with(kStep, json));
  return scenario.tasks.empty() ? Step{} : scenario.tasks[0].steps.back();
}

std::string error(const std::string& text) {
  const auto loaded = load_text("test.json", text);
  return loaded ? "no error" : loaded.error();
}

std::string error_at(const std::string& pointer, const std::string& value) {
  return error(document_with(pointer, value));
}

TEST(Loader, TopLevel) {
  const Scenario scenario = load(document_with("/story", R"(["one", "two"])"));
  EXPECT_EQ(scenario.path, "dir/test.json");
  EXPECT_EQ(scenario.title, "t");
  EXPECT_EQ(scenario.story, "one\ntwo");
  EXPECT_THAT(scenario.kernels, ElementsAre("6.1.192", "6.12.117"));
  EXPECT_EQ(scenario.cache_bytes, uint64_t{512} << 20);
  EXPECT_EQ(scenario.unavailable, "");
  EXPECT_TRUE(scenario.expect.is_null());
  EXPECT_EQ(scenario.setup_turns, 0);
}

TEST(Loader, VolumesAndCookies) {
  auto document = base_document();
  document["volumes"]["w"] = {{"key", "k"}, {"cache", "tag"}, {"coherency", "00fF"}};
  document["cookies"]["x"] = {{"volume", "w"},
                              {"key_hex", "01ff"},
                              {"aux_hex", "02"},
                              {"size", 123456},
                              {"want_cache_size", false}};
  const Scenario scenario = load(document.dump());
  ASSERT_EQ(scenario.volumes.size(), 2u);
  EXPECT_EQ(scenario.volumes[0].cache, std::nullopt);
  EXPECT_EQ(scenario.volumes[1].cache, "tag");
  EXPECT_EQ(hex_text(scenario.volumes[1].coherency), "00ff");
  ASSERT_EQ(scenario.cookies.size(), 2u);
  EXPECT_EQ(key_text(scenario.cookies[0].key), "c");
  EXPECT_TRUE(scenario.cookies[0].want_cache_size);
  EXPECT_EQ(scenario.cookies[1].volume, 1u);
  EXPECT_EQ(key_text(scenario.cookies[1].key), "hex:01ff");
  EXPECT_EQ(hex_text(scenario.cookies[1].aux), "02");
  EXPECT_EQ(scenario.cookies[1].size, 123456u);
  EXPECT_FALSE(scenario.cookies[1].want_cache_size);
}

TEST(Loader, TasksKeepTheFilesOrderAndShareProcesses) {
  auto document = base_document();
  document["tasks"]["a"] = {{"process", "shared"}, {"steps", nlohmann::json::array()}};
  document["tasks"]["b"] = {{"process", "shared"}, {"steps", nlohmann::json::array()}};
  document["tasks"]["e"] = {{"process", "d"}, {"steps", nlohmann::json::array()}};
  const Scenario scenario = load(document.dump());
  ASSERT_EQ(scenario.tasks.size(), 5u);
  EXPECT_THAT(scenario.processes, ElementsAre("d", "r", "shared"));
  EXPECT_EQ(scenario.tasks[0].name, "d");
  EXPECT_EQ(scenario.tasks[1].name, "r");
  EXPECT_EQ(scenario.tasks[2].process, 2u);
  EXPECT_EQ(scenario.tasks[3].process, 2u);
  EXPECT_EQ(scenario.tasks[4].process, 0u);
}

TEST(Loader, SetupStepsComeFirstAndHaveTurns) {
  const Scenario scenario = load(document_with("/setup", R"([
      {"task": "r", "do": "connect", "cookie": "c"}, {"task": "d", "do": "settle"}])"));
  EXPECT_EQ(scenario.setup_turns, 4);
  const auto& reader = scenario.tasks[1].steps;
  ASSERT_EQ(reader.size(), 4u);
  EXPECT_EQ(reader[0].pointer, "/setup/0#1");
  EXPECT_EQ(reader[0].verb, Verb::acquire_volume);
  EXPECT_EQ(reader[0].volume, 0);
  EXPECT_EQ(reader[1].verb, Verb::acquire_cookie);
  EXPECT_EQ(reader[1].cookie, 0);
  EXPECT_EQ(reader[2].pointer, "/setup/0#3");
  EXPECT_EQ(reader[2].verb, Verb::use_cookie);
  EXPECT_EQ(reader[2].setup_turn, 2);
  EXPECT_EQ(reader[3].setup_turn, -1);
  EXPECT_EQ(reader[3].pointer, "/tasks/r/0");
  EXPECT_EQ(scenario.tasks[0].steps[0].pointer, "/setup/1");
  EXPECT_EQ(scenario.tasks[0].steps[0].setup_turn, 3);
}

TEST(Loader, BindIsFourSteps) {
  const Scenario scenario = load(
      document_with("/tasks/d/0", R"({"do": "bind", "tag": "mine", "mode": "", "as": "dev"})"));
  const auto& steps = scenario.tasks[0].steps;
  ASSERT_GE(steps.size(), 4u);
  EXPECT_EQ(steps[0].verb, Verb::open);
  EXPECT_EQ(steps[0].open_flags, O_RDWR);
  EXPECT_EQ(steps[0].as, "dev");
  EXPECT_EQ(steps[1].text, "dir {CACHE}");
  EXPECT_EQ(steps[2].text, "tag mine");
  EXPECT_EQ(steps[3].text, "bind");
  EXPECT_EQ(steps[3].pointer, "/tasks/d/0#4");
  EXPECT_EQ(load(base_document().dump()).tasks[0].steps[3].text, "bind ondemand");
  EXPECT_EQ(load(base_document().dump()).tasks[0].steps[2].text, "tag coldread");
}

TEST(Loader, DisconnectIsThreeSteps) {
  const Scenario scenario = load(document_with(kStep, R"({"do": "disconnect", "cookie": "c"})"));
  const auto& steps = scenario.tasks[0].steps;
  ASSERT_EQ(steps.size(), 9u);
  EXPECT_EQ(steps[6].verb, Verb::unuse_cookie);
  EXPECT_EQ(steps[7].verb, Verb::relinquish_cookie);
  EXPECT_EQ(steps[8].verb, Verb::relinquish_volume);
  EXPECT_EQ(steps[8].volume, 0);
}

TEST(Loader, DaemonSteps) {
  EXPECT_EQ(step(R"({"do": "open", "flags": "rdonly"})").open_flags, O_RDONLY);
  EXPECT_EQ(step(R"({"do": "open", "flags": "wronly"})").open_flags, O_WRONLY);
  EXPECT_EQ(step(R"({"do": "command", "text": "frun 9%"})").text, "frun 9%");
  const Step raw = step(R"({"do": "command", "text_hex": "7b00"})");
  EXPECT_EQ(raw.text, std::string("{\0", 2));
  EXPECT_TRUE(raw.raw_text);
  EXPECT_EQ(step(R"({"do": "copen", "blob": "b"})").answer, 8192);
  EXPECT_EQ(step(R"({"do": "copen", "blob": "b"})").message, "m");
  EXPECT_EQ(step(R"({"do": "copen", "error": "ENOENT"})").answer, -ENOENT);
  EXPECT_EQ(step(R"({"do": "copen", "id": 3, "size": 5})").id, 3u);
  EXPECT_EQ(step(R"({"do": "read_message"})").buffer_size, 1024u);
  EXPECT_EQ(step(R"({"do": "read_message"})").as, "m");
  EXPECT_EQ(step(R"({"do": "poll"})").events, static_cast<uint32_t>(POLLIN));
  EXPECT_EQ(step(R"({"do": "poll"})").timeout_ms, -1);
  EXPECT_EQ(step(R"({"do": "poll", "events": ["out"], "timeout_ms": 5})").timeout_ms, 5);
  EXPECT_EQ(step(R"({"do": "lseek", "fd": "m", "offset": -1, "whence": "data"})").whence,
            LseekWhence::data);
  EXPECT_EQ(step(R"({"do": "lseek", "fd": "m", "offset": -1})").offset, UINT64_MAX);
  EXPECT_EQ(step(R"({"do": "complete"})").fd, "");
  EXPECT_EQ(step(R"({"do": "serve", "blobs": {"c": "b"}})").serve.blobs.at(0).second, 0);
}

TEST(Loader, WritesDefaultToTheBlobsRest) {
  const Step all = step(R"({"do": "pwrite", "fd": "m", "blob": "b"})");
  EXPECT_EQ(all.length, 8192u);
  const Step second = step(R"({"do": "pwrite", "fd": "m", "blob": "b", "offset": 4096})");
  EXPECT_EQ(second.offset, 4096u);
  EXPECT_EQ(second.blob_offset, 4096u);
  EXPECT_EQ(second.length, 4096u);
  const Step moved = step(
      R"({"do": "cache_write", "cookie": "c", "blob": "b", "offset": 4096, "blob_offset": 0})");
  EXPECT_EQ(moved.blob_offset, 0u);
  EXPECT_EQ(moved.length, 8192u);
  EXPECT_EQ(step(R"({"do": "write", "fd": "m", "blob": "b", "blob_offset": 9000})").length, 0u);
}

TEST(Loader, NetfsSteps) {
  const Step prepare = step(R"({"do": "prepare_read", "cookie": "c", "length": 4096,
                                "flags": ["copy_to_cache"]})");
  EXPECT_EQ(prepare.flags, kSubrequestCopyToCache);
  EXPECT_EQ(prepare.i_size, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(step(R"({"do": "cache_read", "cookie": "c", "length": 1})").hole, HoleMode::fail);
  EXPECT_EQ(step(R"({"do": "resize", "cookie": "c", "new_size": 9})").new_size, 9u);
  EXPECT_EQ(step(R"({"do": "unuse_cookie", "cookie": "c"})").new_size, std::nullopt);
  EXPECT_EQ(step(R"({"do": "kill", "task": "r"})").process, 1);
  EXPECT_EQ(step(R"({"do": "read", "cookie": "c", "download": "b"})").blob, 0);
  EXPECT_EQ(step(R"({"do": "settle", "expect": 0})").expect, 0);
}

TEST(LoaderErrors, NameFilePointerExpectedAndGot) {
  EXPECT_EQ(error_at("/cache_bytes", "12"),
            "test.json: /cache_bytes: expected at least 1 MiB (1048576), got 12");
  EXPECT_EQ(
      error_at(kStep, R"({"do": "read", "cookie": "cc"})"),
      "test.json: /tasks/d/3/cookie: expected the name of a cookie \"c\", got \"cc\" (did you "
      "mean \"c\"?)");
  EXPECT_EQ(error("[]"), "test.json: /: expected a scenario (an object), got an empty array");
}

TEST(LoaderErrors, SuggestNames) {
  EXPECT_THAT(error_at("/titel", R"("t")"), HasSubstr("(did you mean \"title\"?)"));
  EXPECT_THAT(error_at("/title", ""), HasSubstr("expected \"title\" in a scenario, got none"));
  EXPECT_THAT(error_at(kStep, R"({"do": "read_mesage"})"),
              HasSubstr("got \"read_mesage\" (did you mean \"read_message\"?)"));
  EXPECT_THAT(error_at(kStep, R"({"do": "read_message", "sise": 7})"),
              HasSubstr("/tasks/d/3/sise: expected a member of a step \"read_message\", got "
                        "\"sise\" (did you mean \"size\"?)"));
  EXPECT_THAT(error_at(kStep, R"({"do": "copen", "mesage": "m", "size": 0})"),
              HasSubstr("did you mean \"message\"?"));
  EXPECT_THAT(error_at(kStep, R"({"do": "inject", "memory": "requests"})"),
              HasSubstr("/tasks/d/3/memory: expected what finds no memory (one of \"cache\", "
                        "\"request\", "));
  LoadOptions options;
  options.known_kernels = {"6.1.192", "6.12.171"};
  EXPECT_THAT(load_text("t", base_document().dump(), options).error(),
              HasSubstr("/kernels/1: expected the name of a profile (one of \"6.1.192\", "
                        "\"6.12.171\"), got \"6.12.117\" (did you mean \"6.12.171\"?)"));
}

TEST(LoaderErrors, Numbers) {
  const std::string offset = R"({"do": "pwrite", "fd": "m", "blob": "b", "offset": )";
  EXPECT_THAT(error_at(kStep, offset + "9223372036854775808}"),
              HasSubstr("/offset: expected numbers of 2^63 and above as hex strings \"0x...\", got "
                        "9223372036854775808"));
  EXPECT_THAT(error_at(kStep, offset + "-1}"), HasSubstr("expected a whole number from 0"));
  EXPECT_THAT(error_at(kStep, offset + "1.5}"), HasSubstr("got 1.5"));
  EXPECT_THAT(error_at(kStep, offset + R"("0x10000000000000000"})"), HasSubstr("hex string"));
  EXPECT_THAT(error_at(kStep, offset + R"("12"})"), HasSubstr("hex string"));
  EXPECT_EQ(step(offset + R"("0x8000000000000000"})").offset, uint64_t{1} << 63);
  EXPECT_EQ(step(offset + "9223372036854775807}").offset, (uint64_t{1} << 63) - 1);
}

TEST(LoaderErrors, TooMuch) {
  auto document = base_document();
  for (int i = 0; i < 63; ++i) document["tasks"]["t" + std::to_string(i)] = nlohmann::json::array();
  EXPECT_THAT(error(document.dump()), HasSubstr("/tasks: expected at most 64 members, got 65"));

  document = base_document();
  for (size_t i = 0; i <= kMaxSteps; ++i) document["tasks"]["r"].push_back({{"do", "settle"}});
  EXPECT_THAT(error(document.dump()), HasSubstr("/tasks/r: expected at most 10000 elements"));

  document = base_document();
  for (size_t i = 0; i < kMaxSteps / 4; ++i) document["tasks"]["d"].push_back({{"do", "bind"}});
  EXPECT_THAT(error(document.dump()), HasSubstr("expected at most 10000 steps in a task"));

  document = base_document();
  document["blobs"]["x"] = {{"size", kMaxBlobBytes}, {"pattern", "zeros"}};
  EXPECT_THAT(error(document.dump()), HasSubstr("/blobs/x/size: expected at most 1 GiB"));

  document = base_document();
  document["blobs"]["x"] = {{"size", kMaxCallBytes + 1}, {"pattern", "zeros"}};
  document["tasks"]["d"][3] = {{"do", "pwrite"}, {"fd", "m"}, {"blob", "x"}};
  EXPECT_THAT(error(document.dump()), HasSubstr("expected a \"length\" of at most 16 MiB"));
}

TEST(LoaderErrors, ExpectationsMustFitTheVerb) {
  EXPECT_THAT(error_at(kStep, R"({"do": "poll", "expect": {"message": {"op": "OPEN"}}})"),
              HasSubstr("/expect/message: expected a member that \"poll\" can answer"));
  EXPECT_THAT(error_at(kStep, R"({"do": "poll", "expect": {"by_kernel": {"6.1.192": 0}}})"),
              HasSubstr("/expect/by_kernel: expected a member for every kernel of the scenario, or "
                        "\"*\", got none for \"6.12.117\""));
  EXPECT_THAT(error_at("/expect", R"({"report": "hangs"})"), HasSubstr("did you mean \"hang\"?"));
}

TEST(LoaderErrors, Files) {
  EXPECT_EQ(load_file("/no/such/file.json").error(),
            "/no/such/file.json: expected a readable scenario file, got No such file or directory");
  EXPECT_THAT(load_file("/").error(), HasSubstr("expected a readable scenario file"));
  EXPECT_THAT(load_file("/dev/zero").error(), HasSubstr("got something else"));
}

}  // namespace
}  // namespace coldread::scenario
