// The schema and the loader are two descriptions of one format: they must accept the same
// documents.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "sim/scenario/loader.h"
#include "sim/scenario/steps.h"
#include "tests/sim/scenario/documents.h"

namespace coldread::scenario {
namespace {

std::filesystem::path scenarios_directory() {
  const char* directory = std::getenv("COLDREAD_SCENARIOS");
  return directory == nullptr ? "scenarios" : directory;
}

nlohmann::json schema_json() {
  std::ifstream in(scenarios_directory() / "scenario.schema.json");
  EXPECT_TRUE(in) << "COLDREAD_SCENARIOS must name the scenarios' directory";
  return nlohmann::json::parse(in);
}

const valijson::Schema& schema() {
  static const valijson::Schema& parsed = *[] {
    static const nlohmann::json json = schema_json();
    static valijson::Schema result;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(json), result);
    return &result;
  }();
  return parsed;
}

bool schema_accepts(const nlohmann::json& document) {
  valijson::Validator validator;
  return validator.validate(schema(), valijson::adapters::NlohmannJsonAdapter(document), nullptr);
}

enum Verdict { good, bad };

struct Case {
  Verdict verdict;
  const char* pointer;
  const char* value;  // "": the member is taken away
};

// Judged alike by both.
const Case kDocuments[] = {
    {good, "/$schema", R"("../scenario.schema.json")"},
    {bad, "/version", "2"},
    {bad, "/version", R"("1")"},
    {bad, "/version", ""},
    {bad, "/title", ""},
    {bad, "/title", R"("")"},
    {bad, "/title", "7"},
    {good, "/story", R"("once")"},
    {good, "/story", R"(["once", "upon"])"},
    {bad, "/story", R"([1])"},
    {bad, "/stroy", R"("once")"},
    {bad, "/kernels", ""},
    {bad, "/kernels", "[]"},
    {bad, "/kernels", R"(["6.1.192", "6.1.192"])"},
    {bad, "/kernels", R"(["6.1 192"])"},
    {good, "/cache_bytes", "1048576"},
    {bad, "/cache_bytes", "1048575"},
    {bad, "/cache_bytes", "68719476737"},
    {bad, "/cache_bytes", "-1"},
    {bad, "/cache_bytes", "4194304.5"},
    {bad, "/cache_bytes", R"("0x100000")"},
    {good, "/cache_block", "4096"},
    {bad, "/cache_block", "2048"},
    {good, "/security", "true"},
    {bad, "/security", R"("smack")"},
    {bad, "/cache_inodes", "15"},
    {bad, "/cache_inodes", "520"},
    {bad, "/cache_inodes", "1.5"},
    {good, "/blobs/x", R"({"pattern": "zeros", "size": 0})"},
    {good, "/blobs/x", R"({"pattern": "noise", "size": 10, "seed": "0xffffffffffffffff"})"},
    {good, "/blobs/x", R"({"file": "no/such/file"})"},
    {good, "/blobs/x", R"({"file": "a..b/..c"})"},
    {bad, "/blobs/x", R"({"pattern": "counter", "size": 10, "seed": 1})"},
    {bad, "/blobs/x", R"({"pattern": "stripes", "size": 10})"},
    {bad, "/blobs/x", R"({"pattern": "zeros"})"},
    {bad, "/blobs/x", R"({"pattern": "zeros", "size": 1073741825})"},
    {bad, "/blobs/x", R"({"pattern": "zeros", "size": 1e30})"},
    {bad, "/blobs/x", R"({"pattern": "zeros", "size": 1, "file": "f"})"},
    {bad, "/blobs/x", R"({"file": "/etc/passwd"})"},
    {bad, "/blobs/x", R"({"file": "../secret"})"},
    {bad, "/blobs/x", R"({"file": "a/../b"})"},
    {bad, "/blobs/x", R"({"file": ""})"},
    {bad, "/blobs/x", "{}"},
    {bad, "/blobs/a b", R"({"pattern": "zeros", "size": 1})"},
    {good, "/volumes/w", R"({"key": "", "cache": "tag", "coherency": "00Ff"})"},
    {bad, "/volumes/w", "{}"},
    {bad, "/volumes/w", R"({"key": "k", "coherency": "0"})"},
    {bad, "/volumes/w", R"({"key": "k", "coherency": "zz"})"},
    {bad, "/volumes/w", R"({"key": "k", "colour": "red"})"},
    {bad, "/volumes/w", R"({"key": 1})"},
    {bad, "/volumes/w", R"({"key": "a\u0000b"})"},
    {good, "/cookies/k", R"({"volume": "v", "key": "k", "aux_hex": "00", "size": 1,
                             "want_cache_size": false})"},
    {good, "/cookies/k", R"({"volume": "v", "key_hex": "00ff"})"},
    {good, "/cookies/k", R"({"volume": "v", "key": "k", "size": "0x7fffffffffffffff"})"},
    {bad, "/cookies/k", R"({"volume": "v", "key": "k", "size": "0x8000000000000000"})"},
    {bad, "/cookies/k", R"({"volume": "v", "key": "k", "key_hex": "00"})"},
    {bad, "/cookies/k", R"({"volume": "v"})"},
    {bad, "/cookies/k", R"({"key": "k"})"},
    {bad, "/cookies/k", R"({"volume": "v", "key": "k", "size": -1})"},
    {bad, "/cookies/k", R"({"volume": "v", "key": "k", "want_cache_size": 1})"},
    {good, "/setup", R"([{"task": "r", "do": "connect", "cookie": "c"}])"},
    {good, "/setup", R"([{"task": "r", "do": "kill", "process": "d"}])"},
    {bad, "/setup", R"([{"task": "r", "do": "kill"}])"},
    {bad, "/setup", R"([{"do": "settle"}])"},
    {bad, "/setup", R"([{"task": "r", "do": "barrier", "name": "x"}])"},
    {bad, "/setup", R"([{"task": "d", "do": "serve", "blobs": {"c": "b"}}])"},
    {bad, "/setup", R"({"task": "r", "do": "settle"})"},
    {good, "/tasks/r", R"({"process": "d", "steps": []})"},
    {good, "/tasks/r", R"({"steps": [{"do": "settle", "note": "all quiet"}]})"},
    {bad, "/tasks/r", R"({"process": "d"})"},
    {bad, "/tasks/r", R"({"proces": "d", "steps": []})"},
    {bad, "/tasks/r", "7"},
    {bad, "/tasks/r s", "[]"},
    {bad, "/tasks", "{}"},
    {bad, "/tasks", ""},
    {good, "/expect", "{}"},
    {good, "/expect", R"({"messages": [{"op": "OPEN", "id": 0, "object": 1, "fd": 4}]})"},
    {good, "/expect", R"({"messages": {"one_of": [[], [{"op": "READ", "off": 0}]]}})"},
    {bad, "/expect", R"({"messages": [{"op": "open"}]})"},
    {bad, "/expect", R"({"messages": [{"opcode": "OPEN"}]})"},
    {bad, "/expect", R"({"messages": {"one_of": []}})"},
    {good, "/expect", R"({"disk": {"cache": {"type": "directory", "mode": "0700"}}})"},
    {good, "/expect", R"({"disk": {"cache/a": {"size": 4096, "xattr": null, "data": [[0, 4096]]},
                                   "cache/b": {"fanout": 256, "xattr": "00"}}})"},
    {good, "/expect", R"({"disk": {"a": {"by_kernel": {"*": {"mode": "0600"}}}}})"},
    {good, "/expect", R"({"disk": {"graveyard": {"entries": 10000}}})"},
    {bad, "/expect", R"({"disk": {"graveyard": {"entries": 10001}}})"},
    {bad, "/expect", R"({"disk": {"cache": {"mode": 448}}})"},
    {bad, "/expect", R"({"disk": {"cache": {"mode": "0800"}}})"},
    {bad, "/expect", R"({"disk": {"cache": {"data": [[0]]}}})"},
    {bad, "/expect", R"({"disk": {"cache": {"inode": 1}}})"},
    {good, "/expect", R"({"events": ["cachefiles_lookup"]})"},
    {bad, "/expect", R"({"events": "cachefiles_lookup"})"},
    {good, "/expect", R"({"events": ["cachefiles_prep_read: o=* [x] s=0"]})"},
    {bad, "/expect", R"({"events": ["cachefiles_prep_read: "]})"},
    {bad, "/expect", R"({"events": ["cachefiles_prep_read:o"]})"},
    {bad, "/expect", R"({"events": [""]})"},
    {good, "/facts", R"(["a1-exclusive", "a2-nul-byte"])"},
    {bad, "/facts", R"(["a1", "a1"])"},
    {bad, "/facts", R"(["a 1"])"},
    {bad, "/facts", R"("a1")"},
    {good, "/expect", R"({"report": "hang"})"},
    {good, "/expect", R"({"report": {"by_kernel": {"6.1.192": "use-after-free", "*": "none"}}})"},
    {good, "/expect", R"({"report": {"one_of": ["hang", "none"]}})"},
    {bad, "/expect", R"({"report": "crash"})"},
    {bad, "/expect", R"({"report": {"by_kernel": {"*": "none"}, "one_of": ["none"]}})"},
    {bad, "/expect", R"({"verdict": "good"})"},
};

const Case kSteps[] = {
    {good, kStep, R"({"do": "open", "flags": "wronly", "as": "dev2"})"},
    {bad, kStep, R"({"do": "open", "flags": "append"})"},
    {bad, kStep, R"({"do": "opne"})"},
    {bad, kStep, R"({"flags": "rdwr"})"},
    {bad, kStep, R"({"do": "settle", "task": "d"})"},
    {bad, kStep, R"({"do": "settle", "note": 7})"},
    {good, kStep, R"({"do": "command", "text": "copen {m.id},{m.length}"})"},
    {good, kStep, R"({"do": "command", "fd": "m", "text_hex": "00"})"},
    {bad, kStep, R"({"do": "command", "text": "x", "text_hex": "00"})"},
    {bad, kStep, R"({"do": "command"})"},
    {good, kStep, R"({"do": "copen", "message": "m", "blob": "b"})"},
    {good, kStep, R"({"do": "copen", "id": "0xffffffffffffffff", "error": "ENOENT"})"},
    {bad, kStep, R"({"do": "copen"})"},
    {bad, kStep, R"({"do": "copen", "size": 1, "error": "ENOENT"})"},
    {bad, kStep, R"({"do": "copen", "size": 1, "id": 1, "message": "m"})"},
    {bad, kStep, R"({"do": "copen", "error": "enoent"})"},
    {bad, kStep, R"({"do": "copen", "size": -5})"},
    {good, kStep, R"({"do": "read_message", "size": 0, "as": "m2"})"},
    {bad, kStep, R"({"do": "read_message", "size": 65537})"},
    {good, kStep, R"({"do": "poll", "events": ["in", "out"], "timeout_ms": 0})"},
    {bad, kStep, R"({"do": "poll", "events": ["in", "in"]})"},
    {bad, kStep, R"({"do": "poll", "events": ["hup"]})"},
    {bad, kStep, R"({"do": "poll", "timeout_ms": -1})"},
    {good, kStep, R"({"do": "close", "fd": "m"})"},
    {good, kStep, R"({"do": "write", "fd": "m", "blob": "b", "length": 16777216})"},
    {bad, kStep, R"({"do": "write", "fd": "m", "blob": "b", "length": 16777217})"},
    {bad, kStep, R"({"do": "write", "fd": "m", "blob": "b", "offset": 0})"},
    {good, kStep, R"({"do": "pwrite", "fd": "m", "blob": "b", "offset": "0xffffffffffffffff"})"},
    {bad, kStep, R"({"do": "pwrite", "blob": "b"})"},
    {good, kStep, R"({"do": "lseek", "fd": "m", "offset": -4096, "whence": "end"})"},
    {bad, kStep, R"({"do": "lseek", "fd": "m", "whence": "middle"})"},
    {good, kStep, R"({"do": "complete"})"},
    {good, kStep, R"({"do": "complete", "id": 7, "fd": "m"})"},
    {bad, kStep, R"({"do": "complete", "id": 7})"},
    {bad, kStep, R"({"do": "complete", "id": 7, "message": "m", "fd": "m"})"},
    {good, kStep, R"({"do": "serve", "blobs": {"c": "b"}})"},
    {bad, kStep, R"({"do": "serve"})"},
    {good, kStep, R"({"do": "serve", "blobs": {}, "delay_ms": 5, "fill": 0, "refuse": "EIO",
                      "ignore": ["OPEN", "CLOSE", "READ"], "close_fd": "after_copen",
                      "nonsense": true, "restore": true, "stop_after": 1})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "fill": 512})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "fill": 33554432})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "ignore": ["READ", "READ"]})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "refuse": 5})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "close_fd": "never"})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "stop_after": 0})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "nonsense": "much"})"},
    {good, kStep, R"({"do": "signal", "to": "r"})"},
    {bad, kStep, R"({"do": "signal"})"},
    {good, kStep, R"({"do": "open", "nonblock": true, "capable": false})"},
    {bad, kStep, R"({"do": "open", "capable": "no"})"},
    {good, kStep, R"({"do": "command", "text": "bind", "buffer": "bad"})"},
    {bad, kStep, R"({"do": "command", "text": "bind", "buffer": "good"})"},
    {good, kStep, R"({"do": "read_message", "buffer": "bad"})"},
    {good, kStep, R"({"do": "write", "fd": "m", "blob": "b", "buffer": "bad"})"},
    {good, kStep, R"({"do": "pwrite", "fd": "m", "blob": "b", "misalign": 4095})"},
    {bad, kStep, R"({"do": "pwrite", "fd": "m", "blob": "b", "misalign": 4096})"},
    {bad, kStep, R"({"do": "pwrite", "fd": "m", "blob": "b", "misalign": 0, "buffer": "bad"})"},
    {good, kStep, R"({"do": "dup", "as": "twin"})"},
    {bad, kStep, R"({"do": "dup", "fd": "m"})"},
    {good, kStep, R"({"do": "fork", "as": "child"})"},
    {bad, kStep, R"({"do": "fork"})"},
    {bad, kStep, R"({"do": "end_child"})"},
    {good, kStep, R"({"do": "send_fd", "fd": "m", "to": "r"})"},
    {bad, kStep, R"({"do": "send_fd", "fd": "m"})"},
    {good, kStep, R"({"do": "receive_fd", "as": "twin"})"},
    {bad, kStep, R"({"do": "receive_fd"})"},
    {good, kStep, R"({"do": "ioctl", "request": "0x40049801", "argument": "0xffffffffffffffff"})"},
    {good, kStep, R"({"do": "ioctl", "fd": "m", "request": 4294967295})"},
    {bad, kStep, R"({"do": "ioctl", "request": 4294967296})"},
    {bad, kStep, R"({"do": "ioctl", "request": "0x100000000"})"},
    {bad, kStep, R"({"do": "ioctl"})"},
    {good, kStep, R"({"do": "pread", "offset": "0xffffffffffffffff", "length": 0})"},
    {bad, kStep, R"({"do": "pread", "length": 16777217})"},
    {good, kStep, R"({"do": "fsync"})"},
    {bad, kStep, R"({"do": "fsync", "length": 1})"},
    {good, kStep, R"({"do": "ftruncate", "length": "0xffffffffffffffff"})"},
    {bad, kStep, R"({"do": "ftruncate"})"},
    {good, kStep, R"({"do": "fallocate", "offset": 1, "length": 1})"},
    {bad, kStep, R"({"do": "fallocate"})"},
    {good, kStep, R"({"do": "mmap", "length": 0, "prot": ["read", "write"]})"},
    {bad, kStep, R"({"do": "mmap", "prot": ["exec"]})"},
    {good, kStep, R"({"do": "fcntl", "command": "F_SETFL", "argument": 2147483647})"},
    {bad, kStep, R"({"do": "fcntl", "command": "F_SETFL", "argument": 2147483648})"},
    {bad, kStep, R"({"do": "fcntl", "command": "getfd"})"},
    {good, kStep, R"({"do": "chdir", "path": "{CACHE}/cache"})"},
    {bad, kStep, R"({"do": "chdir"})"},
    {good, kStep, R"({"do": "limit", "nofile": 1024})"},
    {bad, kStep, R"({"do": "limit", "nofile": 1025})"},
    {good, kStep, R"({"do": "acquire_volume", "volume": "v"})"},
    {bad, kStep, R"({"do": "acquire_volume", "cookie": "c"})"},
    {good, kStep, R"({"do": "relinquish_volume", "volume": "v", "invalidate": true})"},
    {good, kStep, R"({"do": "acquire_cookie", "cookie": "c"})"},
    {good, kStep, R"({"do": "relinquish_cookie", "cookie": "c", "retire": true})"},
    {bad, kStep, R"({"do": "relinquish_cookie", "cookie": "c", "retire": "yes"})"},
    {good, kStep, R"({"do": "use_cookie", "cookie": "c", "modify": true})"},
    {good, kStep, R"({"do": "unuse_cookie", "cookie": "c", "new_size": 5})"},
    {good, kStep, R"({"do": "unuse_cookie", "cookie": "c"})"},
    {good, kStep, R"({"do": "invalidate", "cookie": "c", "new_size": 5})"},
    {bad, kStep, R"({"do": "invalidate", "cookie": "c"})"},
    {good, kStep, R"({"do": "resize", "cookie": "c", "new_size": 5})"},
    {good, kStep, R"({"do": "prepare_read", "cookie": "c", "offset": 1, "length": 2, "i_size": 3,
                      "flags": ["ondemand", "copy_to_cache"]})"},
    {bad, kStep, R"({"do": "prepare_read", "cookie": "c"})"},
    {bad, kStep, R"({"do": "prepare_read", "cookie": "c", "length": 1, "flags": ["fast"]})"},
    {good, kStep, R"({"do": "cache_read", "cookie": "c", "length": 2, "hole": "clear"})"},
    {bad, kStep, R"({"do": "cache_read", "cookie": "c", "length": 2, "hole": "dig"})"},
    {good, kStep, R"({"do": "cache_read", "cookie": "c", "length": 2, "sync": true})"},
    {bad, kStep, R"({"do": "cache_read", "length": 2})"},
    {good, kStep, R"({"do": "update_cookie", "cookie": "c", "new_size": 5})"},
    {bad, kStep, R"({"do": "update_cookie", "new_size": 5})"},
    {bad, kStep, R"({"do": "update_cookie", "cookie": "c", "aux_hex": "0"})"},
    {bad, kStep, R"({"do": "use_cookie", "cookie": "c", "aux_hex": "00"})"},
    {good, kStep, R"({"do": "invalidate", "cookie": "c", "new_size": 5, "direct_write": true})"},
    {bad, kStep, R"({"do": "resize", "cookie": "c", "new_size": 5, "direct_write": true})"},
    {good, kStep, R"({"do": "note_page_release", "cookie": "c"})"},
    {good, kStep, R"({"do": "unload"})"},
    {bad, kStep, R"({"do": "unload", "cookie": "c"})"},
    {good, kStep, R"({"do": "begin_operation", "cookie": "c", "for": "write", "as": "o"})"},
    {bad, kStep, R"({"do": "begin_operation", "cookie": "c"})"},
    {bad, kStep, R"({"do": "begin_operation", "cookie": "c", "for": "resize", "as": "o"})"},
    {bad, kStep, R"({"do": "end_operation", "cookie": "c"})"},
    {bad, kStep, R"({"do": "prepare_read", "cookie": "c", "operation": "o", "length": 2})"},
    {good, kStep, R"({"do": "prepare_write", "cookie": "c", "length": 2, "upper_length": 1,
                      "i_size": 5, "allocated": true})"},
    {bad, kStep, R"({"do": "prepare_write", "cookie": "c"})"},
    {good, kStep, R"({"do": "prepare_write", "cookie": "c", "length": 2,
                      "expect": {"offset": 0, "length": 4096}})"},
    {good, kStep, R"({"do": "query_occupancy", "cookie": "c", "length": 2, "granularity": 4096})"},
    {bad, kStep, R"({"do": "query_occupancy", "cookie": "c", "length": 2, "granularity": 0})"},
    {good, kStep, R"({"do": "write_to_cache", "cookie": "c", "blob": "b", "offset": 4096})"},
    {bad, kStep, R"({"do": "write_to_cache", "cookie": "c"})"},
    {good, kStep, R"({"do": "cache_write", "cookie": "c", "blob": "b", "blob_offset": 4096})"},
    {bad, kStep, R"({"do": "cache_write", "cookie": "c"})"},
    {good, kStep, R"({"do": "read", "cookie": "c", "slice": 4096, "download": "b"})"},
    {good, kStep, R"({"do": "read", "cookie": "c", "length": 1073741824})"},
    {bad, kStep, R"({"do": "read", "cookie": "c", "length": 1073741825})"},
    {bad, kStep, R"({"do": "read", "cookie": "c", "slice": 1000})"},
    {bad, kStep, R"({"do": "read", "cookie": "c", "slice": 33554432})"},
    {good, kStep, R"({"do": "disk", "op": "mkdir", "path": "cache/Iv", "mode": "0755"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "cache", "mode": "755"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir"})"},
    {bad, kStep, R"({"do": "disk", "path": "cache"})"},
    {bad, kStep, R"({"do": "disk", "op": "mknod", "path": "cache"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "/cache"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "cache/"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "cache//x"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "../x"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "cache/.."})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "./x"})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": "."})"},
    {bad, kStep, R"({"do": "disk", "op": "mkdir", "path": ""})"},
    {good, kStep, R"({"do": "disk", "op": "mkdir", "path": "..x/.y/z."})"},
    {good, kStep, R"({"do": "disk", "op": "create", "path": "f", "blob": "b", "size": 5})"},
    {good, kStep, R"({"do": "disk", "op": "create", "path": "f"})"},
    {bad, kStep, R"({"do": "disk", "op": "create", "path": "f", "offset": 0})"},
    {good, kStep, R"({"do": "disk", "op": "write", "path": "f", "blob": "b", "offset": 7})"},
    {bad, kStep, R"({"do": "disk", "op": "write", "path": "f"})"},
    {good, kStep, R"({"do": "disk", "op": "truncate", "path": "f", "size": 0})"},
    {bad, kStep, R"({"do": "disk", "op": "truncate", "path": "f"})"},
    {good, kStep, R"({"do": "disk", "op": "punch_hole", "path": "f", "length": 4096})"},
    {bad, kStep, R"({"do": "disk", "op": "punch_hole", "path": "f", "offset": 4096})"},
    {good, kStep, R"({"do": "disk", "op": "unlink", "path": "f"})"},
    {good, kStep, R"({"do": "disk", "op": "rmdir", "path": "d"})"},
    {bad, kStep, R"({"do": "disk", "op": "rmdir", "path": "d", "mode": "0700"})"},
    {good, kStep, R"({"do": "disk", "op": "rename", "path": "a", "to": "b/c"})"},
    {bad, kStep, R"({"do": "disk", "op": "rename", "path": "a", "to": "../c"})"},
    {good, kStep, R"({"do": "disk", "op": "symlink", "path": "a", "to": "../c"})"},
    {bad, kStep, R"({"do": "disk", "op": "symlink", "path": "a", "to": ""})"},
    {good, kStep, R"({"do": "disk", "op": "mkfifo", "path": "a"})"},
    {good, kStep, R"({"do": "disk", "op": "chmod", "path": ".", "mode": "0000"})"},
    {bad, kStep, R"({"do": "disk", "op": "chmod", "path": "."})"},
    {good, kStep, R"({"do": "disk", "op": "setxattr", "path": ".", "value": "00ff"})"},
    {bad, kStep, R"({"do": "disk", "op": "setxattr", "path": ".", "value": "0"})"},
    {bad, kStep, R"({"do": "disk", "op": "setxattr", "path": "."})"},
    {good, kStep, R"({"do": "disk", "op": "removexattr", "path": "f", "xattr": "user.x"})"},
    {bad, kStep, R"({"do": "disk", "op": "removexattr", "path": "f", "value": "00"})"},
    {good, kStep, R"({"do": "disk", "op": "look", "path": "f", "expect": {"entry": {"size": 0}}})"},
    {bad, kStep, R"({"do": "disk", "op": "look", "path": "f", "expect": {"entry": {"inode": 0}}})"},
    {good, kStep, R"({"do": "disk", "op": "link", "path": "f", "to": "g"})"},
    {good, kStep, R"({"do": "disk", "op": "fill", "blocks": 0, "files": 10})"},
    {bad, kStep, R"({"do": "disk", "op": "fill", "path": "f"})"},
    {good, kStep, R"({"do": "disk", "op": "remount", "read_only": true})"},
    {bad, kStep, R"({"do": "disk", "op": "remount", "path": "."})"},
    {good, kStep, R"({"do": "disk", "op": "freeze"})"},
    {bad, kStep, R"({"do": "disk", "op": "thaw", "path": "."})"},
    {good, kStep, R"({"do": "fault", "call": "write", "error": "EIO", "nth": 3, "times": 2})"},
    {good, kStep, R"({"do": "fault", "call": "read", "short": 512})"},
    {bad, kStep, R"({"do": "fault", "call": "write", "error": "EIO", "short": 512})"},
    {bad, kStep, R"({"do": "fault", "call": "write"})"},
    {bad, kStep, R"({"do": "fault", "call": "open", "error": "EIO"})"},
    {bad, kStep, R"({"do": "fault", "call": "write", "error": "EIO", "nth": 0})"},
    {good, kStep, R"({"do": "issue_write", "cookie": "c", "blob": "b", "i_size": 8192,
                      "extendable_to": 4096})"},
    {bad, kStep, R"({"do": "issue_write", "cookie": "c", "blob": "b", "extendable_to": 4097})"},
    {bad, kStep, R"({"do": "issue_write", "blob": "b"})"},
    {good, kStep, R"({"do": "inject", "errors": []})"},
    {good, kStep, R"({"do": "inject", "errors": ["EIO", "ENOSPC"]})"},
    {bad, kStep, R"({"do": "inject", "errors": ["EIO", "EIO"]})"},
    {bad, kStep, R"({"do": "inject", "errors": ["ENOMEM"]})"},
    {bad, kStep, R"({"do": "inject"})"},
    {good, kStep, R"({"do": "inject", "memory": "request_id"})"},
    {bad, kStep, R"({"do": "inject", "memory": "none"})"},
    {bad, kStep, R"({"do": "inject", "memory": ["request"]})"},
    {bad, kStep, R"({"do": "inject", "errors": [], "memory": "request"})"},
    {good, kStep, R"({"do": "proc", "file": "stats", "expect": {"lines": ["a", "b"]}})"},
    {bad, kStep, R"({"do": "proc", "file": "stats", "expect": {"lines": "a"}})"},
    {bad, kStep, R"({"do": "proc", "file": "objects"})"},
    {bad, kStep, R"({"do": "proc"})"},
    {good, kStep, R"({"do": "sleep", "ms": 10})"},
    {bad, kStep, R"({"do": "sleep"})"},
    {bad, kStep, R"({"do": "sleep", "ms": 86400001})"},
    {bad, kStep, R"({"do": "barrier"})"},
    {good, kStep, R"({"do": "kill", "process": "r"})"},
    {good, kStep, R"({"do": "kill", "task": "r"})"},
    {bad, kStep, R"({"do": "kill", "task": "r", "process": "r"})"},
    {bad, kStep, R"({"do": "kill"})"},
    {good, kStep, R"({"do": "bind", "mode": "", "tag": "mine", "as": "dev2"})"},
    {bad, kStep, R"({"do": "bind", "mode": "classic"})"},
    {bad, kStep, R"({"do": "bind", "expect": 0})"},
    {good, kStep, R"({"do": "disconnect", "cookie": "c"})"},
    {bad, kStep, R"({"do": "connect"})"},
};

// Put into a step's "expect".
const Case kExpectations[] = {
    {good, "read_message", "0"},
    {good, "read_message", R"("EMSGSIZE")"},
    {bad, "read_message", R"("fine")"},
    {bad, "read_message", "-5"},
    {bad, "read_message", "true"},
    {bad, "read_message", "[]"},
    {bad, "read_message", "{}"},
    {good, "read_message", R"({"ret": 48, "message": {"op": "OPEN", "len": 48}})"},
    {good, "read_message", R"({"text": "cull=0"})"},
    {bad, "read_message", R"({"ret": 0, "errno": "EIO"})"},
    {bad, "read_message", R"({"message": {"operation": "OPEN"}})"},
    {good, "read_message", R"({"waits": true})"},
    {bad, "read_message", R"({"waits": false})"},
    {bad, "read_message", R"({"waits": true, "ret": 0})"},
    {good, "read_message", R"({"killed": true})"},
    {good, "read_message", R"({"one_of": [0, "EIO", {"message": {"off": "0xffffffffffffffff"}}]})"},
    {good, "read_message", R"({"by_kernel": {"6.1.192": 0, "*": {"one_of": [1, 2]}}})"},
    {bad, "read_message", R"({"by_kernel": 0})"},
    {bad, "read_message", R"({"one_of": [0], "ret": 0})"},
    {good, "poll", R"({"events": []})"},
    {bad, "poll", R"({"events": ["hup"]})"},
};

std::string with_expectation(const Case& each) {
  return document_with(
      kStep, std::string(R"({"do": ")") + each.pointer + R"(", "expect": )" + each.value + "}");
}

void expect_agreement(const std::string& text, Verdict verdict) {
  const auto loaded = load_text("test.json", text);
  EXPECT_EQ(loaded.ok(), verdict == good) << text << "\n" << (loaded ? "" : loaded.error());
  EXPECT_EQ(schema_accepts(nlohmann::json::parse(text)), verdict == good) << text;
}

TEST(Agreement, BaseDocument) {
  expect_agreement(base_document().dump(), good);
}

TEST(Agreement, Documents) {
  for (const Case& each : kDocuments)
    expect_agreement(document_with(each.pointer, each.value), each.verdict);
}

TEST(Agreement, Steps) {
  for (const Case& each : kSteps)
    expect_agreement(document_with(each.pointer, each.value), each.verdict);
}

TEST(Agreement, Expectations) {
  for (const Case& each : kExpectations) expect_agreement(with_expectation(each), each.verdict);
}

// What a schema cannot say: it accepts these, the loader does not.
const Case kOnlyTheLoaderKnows[] = {
    {bad, "/cookies/k", R"({"volume": "w", "key": "k"})"},
    {bad, "/setup", R"([{"task": "x", "do": "settle"}])"},
    {bad, kStep, R"({"do": "read", "cookie": "d"})"},
    {bad, kStep, R"({"do": "copen", "blob": "c"})"},
    {bad, kStep, R"({"do": "copen", "message": "n", "size": 0})"},
    {bad, kStep, R"({"do": "copen", "error": "ENONSENSE"})"},
    {bad, kStep, R"({"do": "close", "fd": "n"})"},
    {bad, kStep, R"({"do": "command", "text": "copen {n.id},0"})"},
    {bad, kStep, R"({"do": "command", "text": "copen {m.idd},0"})"},
    {bad, kStep, R"({"do": "command", "text": "copen {,0"})"},
    {bad, kStep, R"({"do": "serve", "blobs": {"d": "b"}})"},
    {bad, kStep, R"({"do": "serve", "blobs": {"c": "c"}})"},
    {bad, kStep, R"({"do": "kill", "task": "x"})"},
    {bad, kStep, R"({"do": "kill", "task": "d"})"},
    {bad, kStep, R"({"do": "update_cookie", "cookie": "c", "aux_hex": "00"})"},
    {bad, kStep, R"({"do": "relinquish_volume", "volume": "v", "coherency": "00"})"},
    {bad, kStep, R"({"do": "end_operation", "operation": "o"})"},
    {bad, kStep, R"({"do": "fault", "call": "sync", "short": 512})"},
    {bad, kStep, R"({"do": "fault", "call": "sync", "error": "ENONSENSE"})"},
    {bad, "/cache_block", "1024"},   // the default size is not 8 MiB
    {bad, "/cache_inodes", "1024"},  // the default size is above 128 MiB
    {bad, kStep, R"({"do": "cache_read", "operation": "o", "length": 2})"},
    {bad, kStep, R"({"do": "barrier", "name": "x"})"},
    {bad, kStep, R"({"do": "end_child", "child": "x"})"},
    {bad, kStep, R"({"do": "send_fd", "to": "x"})"},
    {bad, kStep, R"({"do": "signal", "to": "x"})"},
    {bad, kStep, R"({"do": "serve", "blobs": {}, "refuse": "ENONSENSE"})"},
    {bad, kStep, R"({"do": "send_fd", "fd": "x", "to": "r"})"},
    {bad, kStep, R"({"do": "fsync", "fd": "x"})"},
    {bad, kStep, R"({"do": "chdir", "path": "{CACHE"})"},
    {bad, kStep, R"({"do": "chdir", "path": "{x.id}"})"},
    {bad, kStep, R"({"do": "poll", "expect": {"message": {}}})"},
    {bad, kStep, R"({"do": "poll", "expect": "ENONSENSE"})"},
    {bad, kStep, R"({"do": "poll", "expect": {"by_kernel": {"6.12.117": 0}}})"},
    {bad, kStep, R"({"do": "poll", "expect": {"by_kernel": {"6.6": 0, "*": 0}}})"},
    {bad, kStep, R"({"do": "read", "cookie": "c", "expect": {"data": {"blob": "x"}}})"},
};

TEST(Agreement, WhatOnlyTheLoaderKnows) {
  for (const Case& each : kOnlyTheLoaderKnows) {
    const std::string text = document_with(each.pointer, each.value);
    EXPECT_FALSE(load_text("test.json", text).ok()) << text;
    EXPECT_TRUE(schema_accepts(nlohmann::json::parse(text))) << text;
  }
}

TEST(Agreement, TheSchemaKnowsTheLoadersVerbs) {
  const auto verbs = schema_json()["definitions"]["step"]["properties"]["do"]["enum"];
  EXPECT_EQ(verbs.get<std::vector<std::string>>(), verb_words());
}

TEST(Agreement, EveryScenarioPleasesBoth) {
  size_t seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scenarios_directory())) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "scenario.schema.json")
      continue;
    const auto loaded = load_file(entry.path());
    EXPECT_TRUE(loaded.ok()) << loaded.error();
    std::ifstream in(entry.path());
    EXPECT_TRUE(schema_accepts(nlohmann::json::parse(in))) << entry.path();
    ++seen;
  }
  EXPECT_GE(seen, 25u);
}

}  // namespace
}  // namespace coldread::scenario
