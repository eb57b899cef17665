// Each verb becomes its call, and the record says what came of it.
#include "sim/player/player.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/sim/player/fake_syscalls.h"

namespace coldread::player {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Calls = std::vector<std::string>;

// The record of the task's last step, without what all records have.
nlohmann::json last(Stage& stage) {
  nlohmann::json record = stage.play().back();
  for (const char* name : {"step", "do", "seq"}) record.erase(name);
  return record;
}

TEST(Player, EachVerbIsItsCall) {
  const std::pair<const char*, const char*> verbs[] = {
      {R"({"do": "open", "flags": "rdonly"})", "open 0 1"},
      {R"({"do": "open", "flags": "wronly", "nonblock": true, "capable": false})", "open 2049 0"},
      {R"({"do": "dup", "as": "twin"})", "dup 3"},
      {R"({"do": "fork", "as": "child"})", "fork 0"},
      {R"({"do": "send_fd", "to": "t"})", "send_fd 3 0"},
      {R"({"do": "receive_fd", "as": "twin"})", "receive_fd"},
      {R"({"do": "ioctl", "request": "0x10", "argument": 9})", "ioctl 3 16 9"},
      {R"({"do": "pread", "offset": 5, "length": 6})", "pread 3 6 5"},
      {R"({"do": "fsync"})", "fsync 3"},
      {R"({"do": "ftruncate", "length": 9})", "ftruncate 3 9"},
      {R"({"do": "fallocate", "offset": 8, "length": 9})", "fallocate 3 8 9"},
      {R"({"do": "mmap", "length": 9, "prot": ["read", "write"]})", "mmap 3 9 3"},
      {R"({"do": "fcntl", "command": "F_SETFL", "argument": 9})", "fcntl 3 3 9"},
      {R"({"do": "chdir", "path": "{CACHE}/x"})", "chdir /a/cache/x"},
      {R"({"do": "limit", "nofile": 9})", "limit 9"},
      {R"({"do": "signal", "to": "names"})", "signal 1"},
      {R"({"do": "close"})", "close 3"},
      {R"({"do": "lseek", "fd": "dev", "offset": -5, "whence": "end"})", "lseek 3 -5 2"},
      {R"({"do": "poll", "events": ["in", "out"], "timeout_ms": 7})", "poll 3 5 7 0"},
      {R"({"do": "poll"})", "poll 3 1 -1 0"},
      {R"({"do": "complete", "id": 9, "fd": "dev"})", "ioctl 3 1074042881 9"},
      {R"({"do": "copen", "id": 9, "error": "ENOENT"})", "write 3 copen 9,-2"},
      {R"({"do": "pwrite", "fd": "dev", "blob": "b", "offset": 4096})", "pwrite 3 5904 4096"},
      {R"({"do": "disk", "op": "unlink", "path": "cache/x"})", "disk 5 /a/cache/cache/x 0"},
      {R"({"do": "disk", "op": "create", "path": "x", "blob": "b"})", "disk 1 /a/cache/x 10000"},
      {R"({"do": "disk", "op": "write", "path": "x", "blob": "b", "blob_offset": 7})",
       "disk 2 /a/cache/x 9993"},
      {R"({"do": "inject", "errors": ["ENOSPC"]})", "inject 1"},
      {R"({"do": "inject", "errors": ["EIO"]})", "inject 2"},
      {R"({"do": "inject", "memory": "request"})", "fail_allocation 1"},
      {R"({"do": "proc", "file": "caches"})", "proc caches"},
      {R"({"do": "fault", "call": "write", "error": "EIO"})", "fault -5 1 1"},
      {R"({"do": "fault", "call": "write", "short": 512, "nth": 3, "times": 2})", "fault 512 3 2"},
      {R"({"do": "issue_write", "cookie": "c", "blob": "b", "offset": 512, "i_size": 10000,
           "extendable_to": 4096})",
       "issue_write 0 512 9488 10000 4096"},
      {R"({"do": "acquire_volume", "volume": "v"})", "acquire_volume 0"},
      {R"({"do": "relinquish_volume", "volume": "v", "invalidate": true})",
       "relinquish_volume 0 1 0"},
      {R"({"do": "relinquish_volume", "volume": "w", "coherency": "0102"})",
       "relinquish_volume 1 0 2"},
      {R"({"do": "acquire_cookie", "cookie": "c"})", "acquire_cookie 0"},
      {R"({"do": "relinquish_cookie", "cookie": "c"})", "relinquish_cookie 0 0"},
      {R"({"do": "use_cookie", "cookie": "c", "modify": true})", "use_cookie 0 1"},
      {R"({"do": "unuse_cookie", "cookie": "c"})", "unuse_cookie 0"},
      {R"({"do": "unuse_cookie", "cookie": "c", "new_size": 8})", "unuse_cookie 0 8"},
      {R"({"do": "invalidate", "cookie": "c", "new_size": 8})", "invalidate 0 8 0"},
      {R"({"do": "invalidate", "cookie": "a", "new_size": 8, "aux_hex": "Ff",
           "direct_write": true})",
       "invalidate 1 aux ff 8 1"},
      {R"({"do": "unuse_cookie", "cookie": "a", "aux_hex": "01"})", "unuse_cookie 1 aux 01"},
      {R"({"do": "update_cookie", "cookie": "a", "aux_hex": "01", "new_size": 7})",
       "update_cookie 1 aux 01 7"},
      {R"({"do": "update_cookie", "cookie": "c"})", "update_cookie 0"},
      {R"({"do": "note_page_release", "cookie": "c"})", "note_page_release 0"},
      {R"({"do": "unload"})", "unload"},
      {R"({"do": "begin_operation", "cookie": "c", "as": "o"})", "begin_operation 0 0 0"},
      {R"({"do": "begin_operation", "cookie": "a", "for": "write", "as": "o"})",
       "begin_operation 0 1 1"},
      {R"({"do": "prepare_write", "cookie": "c", "offset": 5, "length": 6, "i_size": 7})",
       "prepare_write 0 5 6 6 7 1"},
      {R"({"do": "prepare_write", "cookie": "c", "length": 6, "upper_length": 9, "i_size": 7,
           "allocated": true})",
       "prepare_write 0 0 6 9 7 0"},
      {R"({"do": "query_occupancy", "cookie": "c", "offset": 5, "length": 6, "granularity": 7})",
       "query_occupancy 0 5 6 7"},
      {R"({"do": "query_occupancy", "cookie": "c", "length": 6})", "query_occupancy 0 0 6 1"},
      {R"({"do": "write_to_cache", "cookie": "c", "blob": "b", "offset": 4096})",
       "write_to_cache 0 4096 5904"},
      {R"({"do": "cache_read", "cookie": "c", "length": 5, "sync": true})",
       "cache_read 0 0 5 2 sync"},
      {R"({"do": "cache_write", "cookie": "c", "blob": "b", "sync": true})",
       "cache_write 0 0 10000 sync"},
      {R"({"do": "resize", "cookie": "c", "new_size": 8})", "resize 0 8"},
      {R"({"do": "prepare_read", "cookie": "c", "length": 5, "i_size": 6, "flags": ["ondemand"]})",
       "prepare_read 0 0 5 6 1"},
      {R"({"do": "cache_read", "cookie": "c", "offset": 1, "length": 5, "hole": "clear"})",
       "cache_read 0 1 5 1"},
      {R"({"do": "cache_write", "cookie": "c", "blob": "b", "length": 12288})",
       "cache_write 0 0 12288"},
      {R"({"do": "sleep", "ms": 5})", "sleep 5"},
      {R"({"do": "settle"})", "settle"},
  };
  for (const auto& [step, call] : verbs) {
    Stage stage(step);
    const Record record = stage.play().at(0);
    EXPECT_THAT(stage.syscalls.calls, ElementsAre(call));
    EXPECT_TRUE(record.contains("ret")) << record;
    EXPECT_EQ(record["seq"], 0);
    EXPECT_TRUE(stage.syscalls.aligned) << step;
  }
}

TEST(Player, ProcIsShownLineByLineWithoutWhatTimeTells) {
  Stage stage(R"({"do": "proc", "file": "stats"})");
  stage.syscalls.proc_text = "LRU    : n=1 at=998\nIO     : rd=1 at=998\n";
  EXPECT_EQ(last(stage)["lines"].dump(), R"(["LRU    : n=1 at=*","IO     : rd=1 at=998"])");
  Stage idle(R"({"do": "proc", "file": "stats"})");
  idle.syscalls.proc_text = "LRU    : n=0 at=0";
  EXPECT_EQ(last(idle)["lines"].dump(), R"(["LRU    : n=0 at=0"])");
  Stage none(R"({"do": "proc", "file": "requests"})");
  none.syscalls.answers["proc"] = {-ENOENT};
  EXPECT_EQ(last(none).dump(), R"({"errno":"ENOENT"})");
}

TEST(Player, OperationsThatWereBegunAreUsed) {
  Stage stage(R"({"do": "begin_operation", "cookie": "c", "as": "p"},
                 {"do": "begin_operation", "cookie": "c", "as": "o"},
                 {"do": "prepare_read", "operation": "o", "length": 5, "i_size": 6},
                 {"do": "cache_read", "operation": "o", "length": 5},
                 {"do": "cache_write", "operation": "o", "blob": "b", "length": 5},
                 {"do": "prepare_write", "operation": "o", "length": 5, "i_size": 6},
                 {"do": "query_occupancy", "operation": "p", "length": 5},
                 {"do": "end_operation", "operation": "o"})");
  const auto& records = stage.play();
  EXPECT_THAT(stage.syscalls.calls,
              ElementsAre("begin_operation 0 0 0", "begin_operation 1 0 0",
                          "prepare_read operation 1 0 5 6 0", "cache_read operation 1 0 5 2",
                          "cache_write operation 1 0 5", "prepare_write operation 1 0 5 5 6 1",
                          "query_occupancy operation 0 0 5 1", "end_operation 1"));
  EXPECT_EQ(records.at(5)["offset"], 1);
  EXPECT_EQ(records.at(5)["length"], 7);
  EXPECT_EQ(records.at(6)["offset"], 3);
  EXPECT_EQ(records.at(6)["length"], 9);
}

TEST(Player, ReadingWithoutACompletionShowsTheWholeBuffer) {
  Stage stage(R"({"do": "cache_read", "cookie": "c", "length": 4, "sync": true})");
  stage.syscalls.cache = "data";
  const Record record = stage.play().at(0);
  EXPECT_EQ(record["ret"], 0);
  EXPECT_EQ(record["data"]["length"], 4);
}

TEST(Player, ErrorsAreNamed) {
  Stage stage(R"({"do": "acquire_volume", "volume": "v"}, {"do": "settle"})");
  stage.syscalls.answers["acquire_volume"] = {-EBUSY};
  const auto& records = stage.play();
  EXPECT_EQ(records.at(0).dump(),
            R"({"do":"acquire_volume","errno":"EBUSY","seq":0,"step":"/tasks/t/0"})");
  EXPECT_EQ(records.at(1).dump(), R"({"do":"settle","ret":0,"seq":1,"step":"/tasks/t/1"})");
}

TEST(Player, OpenNamesTheFile) {
  Stage stage(R"({"do": "open", "as": "second"}, {"do": "close", "fd": "second"})");
  stage.syscalls.answers["open"] = {8};
  stage.play();
  EXPECT_THAT(stage.syscalls.calls,
              ElementsAre("open " + std::to_string(O_RDWR) + " 1", "close 8"));
}

TEST(Player, AFileThatDidNotOpenIsSkipped) {
  Stage stage(R"({"do": "open", "as": "second"}, {"do": "close", "fd": "second"})");
  stage.syscalls.answers["open"] = {-EBUSY};
  EXPECT_EQ(last(stage).dump(), R"({"skipped":"no file \"second\""})");
  EXPECT_EQ(stage.syscalls.calls.size(), 1u);
}

TEST(Player, CommandsCountTheDirectoryAsItsPlaceholder) {
  Stage stage(R"({"do": "command", "text": "dir {CACHE}"})");
  EXPECT_EQ(last(stage).dump(), R"({"asked":11,"ret":11})");
  EXPECT_EQ(stage.syscalls.last_data, "dir /a/cache");

  Stage cut(R"({"do": "command", "text": "dir {CACHE}"})");
  cut.syscalls.answers["write"] = {4};
  EXPECT_EQ(last(cut).dump(), R"({"asked":11,"ret":4})");

  Stage raw(R"({"do": "command", "text_hex": "7b43414348457d"})");
  EXPECT_EQ(last(raw).dump(), R"({"asked":7,"ret":7})");
  EXPECT_EQ(raw.syscalls.last_data, "{CACHE}");
}

TEST(Player, MessagesAreReadAndAnswered) {
  Stage stage(R"({"do": "read_message", "as": "o"}, {"do": "copen", "message": "o", "blob": "b"},
                 {"do": "read_message", "as": "r", "size": 64},
                 {"do": "pwrite", "fd": "o", "blob": "b"},
                 {"do": "complete", "message": "r"},
                 {"do": "command", "text": "{o.id} {o.object} {o.fd} {r.off} {r.length}"})");
  stage.syscalls.incoming = {open_bytes(5, 2, "erofs,v", "key", 12), read_bytes(6, 2, 4096, 8192)};
  const auto& records = stage.play();
  EXPECT_EQ(records.at(0)["message"]["cookie"], "key");
  EXPECT_EQ(records.at(0)["ret"], 43);
  EXPECT_EQ(records.at(1)["asked"], 13);
  EXPECT_EQ(records.at(2)["message"]["length"], 8192);
  EXPECT_THAT(stage.syscalls.calls,
              ElementsAre("read 3 1024", "write 3 copen 5,10000", "read 3 64", "pwrite 12 10000 0",
                          "ioctl 12 1074042881 6", "write 3 5 2 12 4096 8192"));
}

TEST(Player, AMessageThatNeverCameSkipsItsAnswers) {
  for (const char* step : {R"({"do": "copen", "size": 0})", R"({"do": "complete"})",
                           R"({"do": "command", "text": "copen {m.id},0"})"}) {
    Stage stage(step);
    EXPECT_EQ(last(stage).dump(), R"({"skipped":"no message \"m\""})");
    EXPECT_THAT(stage.syscalls.calls, IsEmpty());
  }
}

TEST(Player, CompletingAReadOfAnUnknownObjectIsSkipped) {
  Stage stage(R"({"do": "read_message"}, {"do": "complete"})");
  stage.syscalls.incoming = {read_bytes(6, 2, 0, 4096)};
  EXPECT_EQ(last(stage).dump(), R"({"skipped":"no file of object 2"})");
}

TEST(Player, ReadingNothingOrTheState) {
  Stage nothing(R"({"do": "read_message"})");
  EXPECT_EQ(last(nothing).dump(), R"({"ret":0})");
  Stage state(R"({"do": "read_message"})");
  state.syscalls.incoming = {"cull=0 frun=9"};
  EXPECT_EQ(last(state).dump(), R"({"ret":13,"text":"cull=0 frun=9"})");
}

TEST(Player, PollShowsEvents) {
  Stage ready(R"({"do": "poll"})");
  ready.syscalls.answers["poll"] = {POLLIN | POLLOUT};
  EXPECT_EQ(last(ready).dump(), R"({"events":["in","out"],"ret":1})");
  Stage late(R"({"do": "poll", "timeout_ms": 1})");
  late.syscalls.answers["poll"] = {0};
  EXPECT_EQ(last(late).dump(), R"({"events":[],"ret":0})");
}

TEST(Player, PrepareReadAndCacheReadShowWhatTheyBrought) {
  Stage prepare(R"({"do": "prepare_read", "cookie": "c", "length": 8192})");
  prepare.syscalls.prepared = {{Source::download_from_server, 4096, 3}};
  EXPECT_EQ(last(prepare).dump(), R"({"flags":["ondemand","copy_to_cache"],"length":4096,"ret":0,)"
                                  R"("source":"DOWNLOAD_FROM_SERVER"})");
  Stage read(R"({"do": "cache_read", "cookie": "c", "length": 3})");
  read.syscalls.cache = "abc";
  EXPECT_EQ(last(read)["data"].dump(),
            R"({"length":3,"sha256":)"
            R"("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"})");
}

TEST(Player, WritesAreFilledWithZerosBeyondTheBlob) {
  Stage stage(R"({"do": "pwrite", "fd": "dev", "blob": "b", "offset": 8192, "length": 4096})");
  stage.play();
  const auto& bytes = stage.scenario.blobs[0].bytes;
  std::string expected(reinterpret_cast<const char*>(bytes.data()) + 8192, 10000 - 8192);
  expected.resize(4096, '\0');
  EXPECT_EQ(stage.syscalls.last_data, expected);
}

TEST(Player, NewDescriptorsGetTheirNames) {
  Stage stage(R"({"do": "dup", "as": "a"}, {"do": "receive_fd", "as": "b"},
                 {"do": "close", "fd": "a"}, {"do": "close", "fd": "b"})");
  stage.play();
  EXPECT_THAT(stage.syscalls.calls, ElementsAre("dup 3", "receive_fd", "close 7", "close 8"));
  Stage failing(R"({"do": "dup", "as": "a"}, {"do": "close", "fd": "a"})");
  failing.syscalls.answers["dup"] = {-EMFILE};
  EXPECT_EQ(last(failing).dump(), R"({"skipped":"no file \"a\""})");
}

TEST(Player, ChildrenAreForkedAndEnded) {
  Stage stage(R"({"do": "fork", "as": "a"}, {"do": "fork", "as": "b"},
                 {"do": "end_child", "child": "b"}, {"do": "end_child", "child": "a"})");
  stage.play();
  EXPECT_THAT(stage.syscalls.calls, ElementsAre("fork 0", "fork 1", "end_child 1", "end_child 0"));
}

TEST(Player, BadMemoryIsHandedOver) {
  Stage write(R"({"do": "pwrite", "fd": "dev", "blob": "b", "length": 3, "buffer": "bad"})");
  write.play();
  EXPECT_EQ(write.syscalls.last_data, "!!!");
  Stage command(R"({"do": "command", "text": "bind", "buffer": "bad"})");
  command.play();
  EXPECT_THAT(command.syscalls.calls, ElementsAre("bad_memory 4", "write 3 !!!!"));
  Stage read(R"({"do": "read_message", "size": 9, "buffer": "bad"})");
  read.play();
  EXPECT_THAT(read.syscalls.calls, ElementsAre("bad_memory 9", "read 3 9"));
  Stage pread(R"({"do": "pread", "length": 9, "buffer": "bad"})");
  pread.play();
  EXPECT_THAT(pread.syscalls.calls, ElementsAre("bad_memory 9", "pread 3 9 0"));
}

TEST(Player, MemoryMayBeMisaligned) {
  Stage stage(R"({"do": "pwrite", "fd": "dev", "blob": "b", "length": 512, "misalign": 512})");
  stage.play();
  EXPECT_FALSE(stage.syscalls.aligned);
  const auto& bytes = stage.scenario.blobs[0].bytes;
  EXPECT_EQ(stage.syscalls.last_data,
            std::string(reinterpret_cast<const char*>(bytes.data()), 512));
}

TEST(Player, SetupTurns) {
  Stage stage(R"({"do": "settle"})", R"(, "setup": [
      {"task": "names", "do": "settle"}, {"task": "t", "do": "bind"}])");
  stage.play();
  EXPECT_EQ(stage.syscalls.calls.front(), "await_setup_turn 1");
  EXPECT_EQ(stage.syscalls.calls.at(2), "end_setup_turn 1");
  EXPECT_EQ(stage.syscalls.calls.at(stage.syscalls.calls.size() - 2), "await_setup_turn 5");
  EXPECT_EQ(stage.syscalls.calls.back(), "settle");
}

TEST(Player, RecordsAreShownBeforeAndAfter) {
  const auto scenario = one_task(R"({"do": "settle"}, {"do": "poll"})");
  FakeSyscalls syscalls;
  ProcessState process;
  process.fds["dev"] = 3;
  Calls seen;
  TaskPlayer player(scenario, 0, syscalls, process, [&](size_t index, const Record& record) {
    seen.push_back(std::to_string(index) + (record.contains("ret") ? " done" : " begun"));
  });
  syscalls.answers["poll"] = {FakeSyscalls::kNever};
  EXPECT_THROW(player.play(), NeverReturns);
  EXPECT_THAT(seen, ElementsAre("0 begun", "0 done", "1 begun"));
  auto records = player.records();
  mark_waiting(records);
  EXPECT_FALSE(records[0].contains("waits"));
  EXPECT_EQ(records[1]["waits"], true);
  EXPECT_FALSE(came_back(records[1]));
}

}  // namespace
}  // namespace coldread::player
