// A kernel that writes down what it is asked and answers as it was told to.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "sim/player/message.h"
#include "sim/player/player.h"
#include "sim/scenario/loader.h"

namespace coldread::player {

// Thrown by a call that is to never come back.
struct NeverReturns {};

class FakeSyscalls : public Syscalls {
 public:
  static constexpr int64_t kNever = INT64_MIN;

  std::vector<std::string> calls;
  std::map<std::string, std::deque<int64_t>> answers;  // by call; without one it succeeds
  std::deque<std::string> incoming;                    // what reads of the device bring
  std::deque<PrepareResult> prepared;                  // else: all of it is in the cache
  std::string cache;                                   // what cache_read finds
  std::vector<Range> trusted;
  std::string proc_text;
  std::string last_data;  // of the last write, pwrite, cache_write
  int64_t size = 0;
  bool aligned = true;

  int64_t open_device(int flags, bool capable) override {
    return called("open", {flags, capable}, 3);
  }
  int64_t close(int fd) override { return called("close", {fd}, 0); }
  int64_t read(int fd, std::span<std::byte> data) override {
    const int64_t ret =
        called("read", {fd, data.size()},
               incoming.empty() ? 0 : static_cast<int64_t>(incoming.front().size()));
    if (ret <= 0 || incoming.empty()) return ret;
    std::memcpy(data.data(), incoming.front().data(), incoming.front().size());
    incoming.pop_front();
    return ret;
  }
  int64_t write(int fd, std::span<const std::byte> data) override {
    keep(data);
    calls.push_back("write " + std::to_string(fd) + " " + last_data);
    return answer("write", static_cast<int64_t>(data.size()));
  }
  int64_t pwrite(int fd, std::span<const std::byte> data, uint64_t offset) override {
    keep(data);
    check_alignment(data);
    return called("pwrite", {fd, data.size(), offset}, static_cast<int64_t>(data.size()));
  }
  int64_t lseek(int fd, int64_t offset, scenario::LseekWhence whence) override {
    return called("lseek", {fd, offset, static_cast<int>(whence)}, 0);
  }
  int64_t ioctl(int fd, uint32_t request, uint64_t argument) override {
    return called("ioctl", {fd, request, argument}, 0);
  }
  int64_t poll(int fd, uint32_t events, int64_t timeout_ms, bool until_quiet) override {
    return called("poll", {fd, events, timeout_ms, until_quiet},
                  until_quiet && incoming.empty() ? 0 : POLLIN);
  }

  std::span<std::byte> bad_memory(uint64_t bytes) override {
    calls.push_back("bad_memory " + std::to_string(bytes));
    return {bad_.data(), bytes};
  }
  int64_t dup(int fd) override { return called("dup", {fd}, 7); }
  int64_t fork(int child) override { return called("fork", {child}, 0); }
  int64_t end_child(int child) override { return called("end_child", {child}, 0); }
  int64_t send_fd(int fd, int process) override { return called("send_fd", {fd, process}, 0); }
  int64_t receive_fd() override { return called("receive_fd", {}, 8); }
  int64_t chdir(const char* path) override {
    calls.push_back(std::string("chdir ") + path);
    return answer("chdir", 0);
  }
  int64_t limit_files(uint64_t nofile) override { return called("limit", {nofile}, 0); }
  int64_t signal(int task) override { return called("signal", {task}, 0); }
  int64_t pread(int fd, std::span<std::byte> data, uint64_t offset) override {
    return called("pread", {fd, data.size(), offset}, static_cast<int64_t>(data.size()));
  }
  int64_t fsync(int fd) override { return called("fsync", {fd}, 0); }
  int64_t ftruncate(int fd, int64_t length) override {
    return called("ftruncate", {fd, length}, 0);
  }
  int64_t fallocate(int fd, int64_t offset, int64_t length) override {
    return called("fallocate", {fd, offset, length}, 0);
  }
  int64_t mmap(int fd, uint64_t length, uint32_t prot) override {
    return called("mmap", {fd, length, prot}, 0);
  }
  int64_t fcntl(int fd, scenario::FcntlCommand command, uint64_t argument) override {
    return called("fcntl", {fd, static_cast<int>(command), argument}, 0);
  }

  int64_t acquire_volume(int volume) override { return called("acquire_volume", {volume}, 0); }
  int64_t relinquish_volume(int volume, std::span<const std::byte> coherency,
                            bool invalidate) override {
    return called("relinquish_volume", {volume, invalidate, coherency.size()}, 0);
  }
  int64_t acquire_cookie(int cookie) override { return called("acquire_cookie", {cookie}, 0); }
  int64_t relinquish_cookie(int cookie, bool retire) override {
    return called("relinquish_cookie", {cookie, retire}, 0);
  }
  int64_t use_cookie(int cookie, bool will_modify) override {
    return called("use_cookie", {cookie, will_modify}, 0);
  }
  int64_t unuse_cookie(int cookie, const ObjectUpdate& update) override {
    return called("unuse_cookie", {cookie, &update}, 0);
  }
  int64_t update_cookie(int cookie, const ObjectUpdate& update) override {
    return called("update_cookie", {cookie, &update}, 0);
  }
  int64_t invalidate(int cookie, const ObjectUpdate& update, bool direct_write) override {
    return called("invalidate", {cookie, &update, direct_write}, 0);
  }
  int64_t resize(int cookie, uint64_t new_size) override {
    return called("resize", {cookie, new_size}, 0);
  }
  int64_t note_page_release(int cookie) override {
    return called("note_page_release", {cookie}, 0);
  }
  int64_t unload() override { return called("unload", {}, 0); }
  int64_t begin_operation(int operation, int cookie, bool write) override {
    return called("begin_operation", {operation, cookie, write}, 0);
  }
  int64_t end_operation(int operation) override { return called("end_operation", {operation}, 0); }
  int64_t prepare_read(Target target, uint64_t start, uint64_t length, int64_t i_size,
                       uint32_t flags, PrepareResult* out) override {
    *out = {Source::read_from_cache, length, 0};
    if (!prepared.empty()) {
      *out = prepared.front();
      prepared.pop_front();
    }
    return called("prepare_read", {target, start, length, i_size, flags}, 0);
  }
  int64_t cache_read(Target target, uint64_t start, std::span<std::byte> data,
                     scenario::HoleMode hole, bool sync) override {
    check_alignment(data);
    std::fill(data.begin(), data.end(), std::byte{0});
    if (start < cache.size())
      std::memcpy(data.data(), cache.data() + start, std::min(data.size(), cache.size() - start));
    return called("cache_read",
                  {target, start, data.size(), static_cast<int>(hole), SyncMark{sync}},
                  sync ? 0 : static_cast<int64_t>(data.size()));
  }
  int64_t cache_write(Target target, uint64_t start, std::span<const std::byte> data,
                      bool sync) override {
    keep(data);
    check_alignment(data);
    return called("cache_write", {target, start, data.size(), SyncMark{sync}},
                  static_cast<int64_t>(data.size()));
  }
  int64_t prepare_write(Target target, Range range, uint64_t upper_length, int64_t i_size,
                        bool no_space_allocated_yet, Range* out) override {
    *out = {range.start + 1, range.length + 2};
    return called("prepare_write",
                  {target, range.start, range.length, upper_length, i_size, no_space_allocated_yet},
                  0);
  }
  int64_t query_occupancy(Target target, Range range, uint64_t granularity, Range* out) override {
    *out = {range.start + 3, range.length + 4};
    return called("query_occupancy", {target, range.start, range.length, granularity}, 0);
  }
  int64_t write_to_cache(int cookie, uint64_t start, std::span<const std::byte> data) override {
    keep(data);
    return called("write_to_cache", {cookie, start, data.size()},
                  static_cast<int64_t>(data.size()));
  }
  int64_t issue_write(Target target, uint64_t start, std::span<const std::byte> data,
                      int64_t i_size, uint64_t extendable_to) override {
    keep(data);
    return called("issue_write", {target, start, data.size(), i_size, extendable_to},
                  static_cast<int64_t>(data.size()));
  }
  void trust(int, uint64_t start, uint64_t length) override { trusted.push_back({start, length}); }
  int64_t cookie_size(int cookie) override { return called("cookie_size", {cookie}, size); }

  int64_t disk(const std::string& directory, const scenario::DiskCall& call,
               std::span<const std::byte> contents, nlohmann::json* entry) override {
    keep(contents);
    if (entry != nullptr) *entry = {{"type", "file"}, {"size", 5}};
    calls.push_back("disk " + std::to_string(static_cast<int>(call.operation)) + " " + directory +
                    "/" + call.path + " " + std::to_string(contents.size()));
    return answer("disk", 0);
  }
  int64_t inject(uint32_t errors) override { return called("inject", {errors}, 0); }
  int64_t fail_allocation(Allocation what) override {
    return called("fail_allocation", {static_cast<int>(what)}, 0);
  }
  int64_t fault(const scenario::Fault& fault) override {
    return called("fault", {fault.result, fault.nth, fault.times}, 0);
  }
  int64_t proc(const std::string& file, std::string* text) override {
    *text = proc_text;
    calls.push_back("proc " + file);
    return answer("proc", 0);
  }

  void sleep_ms(uint64_t ms) override { called("sleep", {ms}, 0); }
  void barrier(int barrier) override { called("barrier", {barrier}, 0); }
  void settle() override { called("settle", {}, 0); }
  int64_t kill(int process) override { return called("kill", {process}, 0); }
  void await_setup_turn(int turn) override { called("await_setup_turn", {turn}, 0); }
  void end_setup_turn(int turn) override { called("end_setup_turn", {turn}, 0); }
  uint64_t next_sequence() override { return sequence_++; }

 private:
  struct SyncMark {
    bool sync;
  };
  struct Argument {
    template <typename T>
    Argument(T value) : text(" " + std::to_string(value)) {}  // NOLINT(*-explicit-*)
    Argument(Target target)                                   // NOLINT(*-explicit-*)
        : text(target.operation >= 0 ? " operation " + std::to_string(target.operation)
                                     : " " + std::to_string(target.cookie)) {}
    Argument(const ObjectUpdate* update) {  // NOLINT(*-explicit-*)
      if (!update->aux.empty()) text += " aux " + scenario::hex_text(update->aux);
      if (update->object_size != nullptr) text += " " + std::to_string(*update->object_size);
    }
    Argument(SyncMark mark) : text(mark.sync ? " sync" : "") {}  // NOLINT(*-explicit-*)
    std::string text;
  };

  int64_t called(const char* name, std::initializer_list<Argument> arguments, int64_t fallback) {
    std::string text = name;
    for (const Argument& argument : arguments) text += argument.text;
    calls.push_back(text);
    return answer(name, fallback);
  }

  int64_t answer(const std::string& name, int64_t fallback) {
    auto& queue = answers[name];
    if (queue.empty()) return fallback;
    const int64_t ret = queue.front();
    queue.pop_front();
    if (ret == kNever) throw NeverReturns{};
    return ret;
  }

  void keep(std::span<const std::byte> data) {
    last_data.assign(reinterpret_cast<const char*>(data.data()), data.size());
  }
  void check_alignment(std::span<const std::byte> data) {
    aligned = aligned && reinterpret_cast<uintptr_t>(data.data()) % 4096 == 0;
  }

  std::vector<std::byte> bad_ = std::vector<std::byte>(65536, std::byte{'!'});
  uint64_t sequence_ = 0;
};

// --- messages as the kernel sends them ---

template <typename T>
void put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline std::string header(uint32_t id, uint32_t opcode, size_t length, uint32_t object) {
  std::string bytes;
  put(bytes, id);
  put(bytes, opcode);
  put(bytes, static_cast<uint32_t>(length));
  put(bytes, object);
  return bytes;
}

inline std::string open_bytes(uint32_t id, uint32_t object, const std::string& volume,
                              const std::string& cookie, int32_t fd) {
  std::string bytes = header(id, kOpOpen, 32 + volume.size() + 1 + cookie.size(), object);
  put(bytes, static_cast<uint32_t>(volume.size() + 1));
  put(bytes, static_cast<uint32_t>(cookie.size()));
  put(bytes, fd);
  put(bytes, uint32_t{0});
  return bytes + volume + '\0' + cookie;
}

inline std::string read_bytes(uint32_t id, uint32_t object, uint64_t off, uint64_t length) {
  std::string bytes = header(id, kOpRead, 32, object);
  put(bytes, off);
  put(bytes, length);
  return bytes;
}

inline std::string close_bytes(uint32_t id, uint32_t object) {
  return header(id, kOpClose, 16, object);
}

// --- a scenario of one task ---

// "b" is a blob of 10000 bytes, "c" a cookie with key "key" in volume "v", "dev" is opened first
// and a message "m" read last, so that steps may name both.
inline scenario::Scenario one_task(const std::string& steps, const std::string& more = "") {
  const std::string text = R"({
    "version": 1, "title": "t", "kernels": ["6.1.192", "6.12.117"],
    "blobs": {"b": {"size": 10000, "pattern": "noise"}},
    "volumes": {"v": {"key": "erofs,v"}, "w": {"key": "erofs,w", "coherency": "0000"}},
    "cookies": {"c": {"volume": "v", "key": "key"},
                "a": {"volume": "v", "key": "aux", "aux_hex": "00"}},
    "tasks": {"t": [)" + steps +
                           R"(],
              "names": {"process": "t", "steps": [{"do": "open"}, {"do": "read_message"}]}})" +
                           more + "}";
  auto loaded = scenario::load_text("test.json", text);
  if (!loaded) throw std::runtime_error(loaded.error());
  return std::move(*loaded);
}

// One task that plays its steps on a FakeSyscalls.
struct Stage {
  explicit Stage(const std::string& steps, const std::string& more = "")
      : scenario(one_task(steps, more)), player(scenario, 0, syscalls, process) {
    process.cache_directory = "/a/cache";
    process.fds["dev"] = 3;
  }

  // Plays until the end, or until a call never comes back.
  const std::vector<Record>& play() {
    try {
      player.play();
    } catch (const NeverReturns&) {
    }
    return player.records();
  }

  scenario::Scenario scenario;
  FakeSyscalls syscalls;
  ProcessState process;
  TaskPlayer player;
};

}  // namespace coldread::player
