#include "tests/fuzz/stages.h"

#include <string>

#include "sim/scenario/loader.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

// Two volumes of one key, and two whose keys differ behind byte 127, the first of them with
// coherency data; cookies that share names.
std::string head() {
  const std::string key(130, 'k');
  return R"({"version": 1, "title": "a stage", "kernels": ["6.12.117"],
    "blobs": {"image": {"size": 16384, "pattern": "counter"}},
    "volumes": {"0": {"key": "erofs,demo"}, "1": {"key": "erofs,demo"},
                "2": {"key": "erofs,)" +
         key + R"(", "coherency": "01020304"}, "3": {"key": "erofs,)" + key + R"(k"}},
    "cookies": {"0": {"volume": "0", "key": "demo"}, "1": {"volume": "0", "key": "blob0"},
                "2": {"volume": "1", "key": "demo"}, "3": {"volume": "2", "key_hex": "00ff2f2e"},
                "4": {"volume": "0", "key": "demo", "want_cache_size": false}},
    "tasks": {"daemon": [], "helper": {"process": "daemon", "steps": []},
              "reader0": [], "reader1": [], "reader2": []},
    "setup": [)";
}

constexpr const char* kOpen = R"({"task": "daemon", "do": "open"},)";
constexpr const char* kBind = R"({"task": "daemon", "do": "bind"},)";
constexpr const char* kConnect = R"({"task": "reader0", "do": "connect", "cookie": "0"},)";
constexpr const char* kAnswer = R"(
    {"task": "daemon", "do": "poll"},
    {"task": "daemon", "do": "read_message", "as": "open"},
    {"task": "daemon", "do": "copen", "message": "open", "size": 1048576},)";
constexpr const char* kFiles = R"(
    {"task": "helper", "do": "disk", "op": "mkdir", "path": "cache/Ierofs,demo"},
    {"task": "helper", "do": "disk", "op": "setxattr", "path": "cache/Ierofs,demo",
     "value": "00000000"},
    {"task": "helper", "do": "disk", "op": "create", "path": "cache/Ierofs,demo/@dd/Ddemo",
     "blob": "image"},
    {"task": "helper", "do": "disk", "op": "setxattr", "path": "cache/Ierofs,demo/@dd/Ddemo",
     "value": "000000000000400000000000000000000100"},
    {"task": "helper", "do": "disk", "op": "link", "path": "cache/Ierofs,demo/@dd/Ddemo",
     "to": "cache/Ierofs,demo/@73/Dblob0"},)";
constexpr const char* kClassic = R"(
    {"task": "daemon", "do": "open"},
    {"task": "daemon", "do": "command", "text": "dir {CACHE}"},
    {"task": "daemon", "do": "command", "text": "bind"},)";

std::string setup_of(Stage stage) {
  switch (stage) {
    case Stage::opened:
      return kOpen;
    case Stage::bound:
      return std::string(kBind) + kConnect;
    case Stage::connected:
      return std::string(kBind) + kConnect + kAnswer;
    case Stage::warm:
      return std::string(kFiles) + kBind + kConnect;
    default:
      return std::string(kClassic) + kConnect;
  }
}

}  // namespace

scenario::Scenario stage_scenario(Stage stage) {
  const std::string text = head() + setup_of(stage) + R"({"task": "daemon", "do": "settle"}]})";
  Result<scenario::Scenario> loaded = scenario::load_text(stage_name(stage), text);
  if (!loaded) found("a stage cannot be loaded: " + loaded.error());
  loaded->model_only = "its disk can be told to fail";
  return std::move(*loaded);
}

}  // namespace coldread::fuzz
