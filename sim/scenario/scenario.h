// A scenario in memory: what one JSON file says, checked and with every name resolved.
//
// The format is described by scenarios/scenario.schema.json and, by example, in the README. Loading
// is the only way to make one (loader.h), so everything here may be trusted: indices are in range,
// sizes are bounded, barriers can be met. Plain data; safe to share between threads once loaded.
// Sizes, offsets and lengths are bytes; an index of -1 is none.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernelmodel/kernel/memory.h"
#include "sim/scenario/disk_call.h"

namespace coldread::scenario {

inline constexpr int kFormatVersion = 1;
inline constexpr uint64_t kMaxBlobBytes = uint64_t{1} << 30;   // all of a scenario's together
inline constexpr uint64_t kMaxCallBytes = uint64_t{16} << 20;  // one read or write of a step
inline constexpr size_t kMaxTasks = 64;
inline constexpr size_t kMaxSteps = 10'000;                     // of one task
inline constexpr uint64_t kMaxCacheBytes = uint64_t{64} << 30;  // Scenario::cache_bytes
inline constexpr uint64_t kMinCacheBytes = uint64_t{1} << 20;

// Contents a daemon serves or a netfs downloads: bytes by pattern, or a real file's.
struct Blob {
  std::string name;
  std::vector<std::byte> bytes;
};

struct Volume {
  std::string name;                  // in the scenario
  std::string key;                   // fscache's
  std::optional<std::string> cache;  // the cache's tag the netfs asks for; none: any
  std::vector<std::byte> coherency;
};

struct Cookie {
  std::string name;
  size_t volume = 0;  // index into Scenario::volumes
  std::vector<std::byte> key;
  std::vector<std::byte> aux;
  uint64_t size = 0;            // the object size the netfs gives at acquisition
  bool want_cache_size = true;  // FSCACHE_ADV_WANT_CACHE_SIZE
};

enum class Verb : uint8_t {
  // The daemon's system calls.
  open,
  command,
  copen,
  read_message,
  poll,
  close,
  write,
  pwrite,
  lseek,
  complete,
  serve,
  // What any process does with its files and with itself.
  dup,
  fork,
  end_child,
  send_fd,
  receive_fd,
  ioctl,
  pread,
  fsync,
  ftruncate,
  fallocate,
  mmap,
  fcntl,
  chdir,
  limit,
  signal,
  // The netfs' calls.
  acquire_volume,
  relinquish_volume,
  acquire_cookie,
  relinquish_cookie,
  use_cookie,
  unuse_cookie,
  update_cookie,
  invalidate,
  resize,
  note_page_release,
  unload,
  begin_operation,
  end_operation,
  prepare_read,
  cache_read,
  cache_write,
  prepare_write,
  query_occupancy,
  write_to_cache,
  issue_write,
  read,
  // Somebody else's, and faults.
  disk,
  inject,
  fault,
  proc,
  // The play itself.
  sleep,
  barrier,
  settle,
  kill,
};
const char* verb_name(Verb verb);

// A key as people read it: printable ASCII as it is, anything else as "hex:" and its hex digits.
std::string key_text(std::span<const std::byte> key);
// Two lower-case digits for each byte.
std::string hex_text(std::span<const std::byte> bytes);

enum class LseekWhence : uint8_t { set, cur, end, data, hole };
enum class FcntlCommand : uint8_t { getfd, setfd, getfl, setfl };
enum class HoleMode : uint8_t { ignore, clear, fail };  // enum netfs_read_from_hole

inline constexpr uint32_t kSubrequestOndemand = 1;     // NETFS_SREQ_ONDEMAND
inline constexpr uint32_t kSubrequestCopyToCache = 2;  // NETFS_SREQ_COPY_TO_CACHE

// Bits of /proc/sys/cachefiles/error_injection.
inline constexpr uint32_t kInjectEnospc = 1;
inline constexpr uint32_t kInjectEio = 2;

// "cache", "request" ...: what can find no memory, in the order of Allocation.
const std::vector<std::string>& allocations();

// How a ready-made daemon serves. As it stands here: well.
struct Service {
  enum class CloseFd : uint8_t { never, before_copen, after_copen };

  std::vector<std::pair<std::string, int>> blobs;  // cookie key, as key_text() shows it -> index
  uint64_t delay_ms = 0;                           // before every answer
  uint64_t fill = UINT64_MAX;                      // READ: at most so many bytes are written
  std::array<bool, 3> ignore{};                    // by opcode: read and never answered
  int64_t refuse = 0;                              // OPEN: this negative errno instead of a size
  CloseFd close_fd = CloseFd::never;               // the first one it gets, at once
  bool nonsense = false;                           // before every answer, what must be refused
  bool restore = false;                            // begins with the command
  uint64_t stop_after = UINT64_MAX;                // messages
};

// A call of cachefiles' on its disk that goes wrong: on the model alone.
struct Fault {
  std::string call;    // one of store_calls()
  int64_t result = 0;  // negative errno; of a read or write also: so many bytes and no more
  uint64_t nth = 1;    // from now on
  uint64_t times = 1;  // so many in a row
};
// "lookup", "write" ...: BackingStore's.
const std::vector<std::string>& store_calls();

// One step. Which members mean something depends on the verb; the loader fills the rest with the
// defaults written here.
struct Step {
  Verb verb = Verb::settle;
  std::string pointer;  // JSON pointer of the step in its file
  int setup_turn = -1;  // >= 0: a setup step, executed in this global order

  std::string fd = "dev";  // an open file by name: "dev", or the message that brought it;
                           // complete: "" = the file of the message's object
  std::string as;          // open, read_message, dup, receive_fd: the name of what comes
  std::string message;     // copen, complete: the message answered
  // command, chdir (its path): with placeholders "{m.id}", "{CACHE}" ...
  std::string text;
  bool raw_text = false;          // command: bytes as they are, no placeholders (text_hex)
  std::optional<uint64_t> id;     // complete, copen: a raw id instead of a message's
  std::optional<int64_t> answer;  // copen: size in bytes or negative errno
  int blob = -1;                  // index: contents to write, to serve, to download
  uint64_t blob_offset = 0;       // pwrite, write: where in the blob the data comes from
  Service serve;

  int volume = -1;
  int cookie = -1;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t slice = 0;  // read: at most this much per netfs request; 0: all at once
  int64_t i_size = std::numeric_limits<int64_t>::max();
  uint32_t flags = 0;           // prepare_read: kSubrequest*; inject: kInject*
  uint32_t buffer_size = 1024;  // read_message
  uint32_t events = 0;          // poll: POLLIN | POLLOUT
  int64_t timeout_ms = -1;      // poll: -1 for ever; sleep: how long
  LseekWhence whence = LseekWhence::set;
  HoleMode hole = HoleMode::fail;
  int open_flags = 0;       // O_RDWR ...
  bool capable = true;      // open: the caller has CAP_SYS_ADMIN
  bool bad_buffer = false;  // the user's memory cannot be reached
  uint32_t misalign = 0;    // write, pwrite: bytes by which the memory misses 4096
  uint32_t request = 0;     // ioctl
  uint64_t argument = 0;    // ioctl, fcntl
  FcntlCommand fcntl = FcntlCommand::getfd;
  int child = -1;                    // fork, end_child: index into Scenario::children
  bool modify = false;               // use_cookie: will_modify
  bool retire = false;               // relinquish_cookie
  bool invalidate = false;           // relinquish_volume
  std::optional<uint64_t> new_size;  // invalidate, resize, unuse_cookie, update_cookie
  std::vector<std::byte> aux;        // the same, and relinquish_volume: coherency; empty: unchanged
  bool direct_write = false;         // invalidate: FSCACHE_INVAL_DIO_WRITE
  int operation = -1;                // index into Scenario::operations
  bool for_write = false;            // begin_operation
  bool sync = false;                 // cache_read, cache_write: without completion
  bool allocated = false;            // prepare_write: the range has blocks already
  uint64_t limit = 0;                // prepare_write: upper_len; query_occupancy: granularity;
                                     // issue_write: submit_extendable_to
  Allocation memory = Allocation::none;  // inject: no memory for it, once
  Fault fault;                           // fault
  std::string proc_file;                 // proc: "stats" ...
  DiskCall disk;                         // disk; its contents are those of blob
  int barrier = -1;                      // index into Scenario::barriers
  int process = -1;                      // kill, send_fd: index into Scenario::processes
  int task = -1;                         // signal: index into Scenario::tasks

  nlohmann::json expect;  // as written; null: the verb's own idea of success (check.h)
};

struct TaskSpec {
  std::string name;
  size_t process = 0;       // index into Scenario::processes
  std::vector<Step> steps;  // its setup steps first
};

struct Barrier {
  std::string name;
  unsigned parties = 0;  // how many tasks meet here
};

struct Scenario {
  std::string path;  // as the user named it
  std::string title;
  std::string story;
  std::vector<std::string> facts;              // ids of what it shows (kernelmodel/facts.json)
  std::vector<std::string> kernels;            // the profiles it applies to, in the file's order
  uint64_t cache_bytes = uint64_t{512} << 20;  // size of the cache's filesystem
  uint64_t cache_inodes = 0;                   // of it; 0: as many as are usual for the size
  uint32_t cache_block = 4096;                 // its blocks' size: 4096 or 1024
  bool security = false;                       // the kernel is one with CONFIG_SECURITY
  std::vector<Blob> blobs;
  std::vector<Volume> volumes;
  std::vector<Cookie> cookies;
  std::vector<std::string> processes;
  std::vector<std::string> children;  // by fork; each is forked once
  std::vector<TaskSpec> tasks;
  std::vector<Barrier> barriers;
  std::vector<std::string> operations;  // names of operations that steps begin
  int setup_turns = 0;
  // Not empty: why the scenario cannot be played here ("blob "image": no file ..."): a skip.
  std::string unavailable;
  bool freezes = false;    // somebody freezes the cache's file system
  std::string model_only;  // not empty: why no real kernel can play it
  nlohmann::json expect;   // the final expectations, as written; null: none
  // Of all that decides what is played, hence not of titles, stories and expectations: 16 hex
  // digits. Recorded transcripts belong to it.
  std::string digest;
};

}  // namespace coldread::scenario
