// A bound on-demand cache with one open object, for benchmarks: no scenario, no trace, no
// transcript.
#pragma once

#include <fcntl.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "kernelmodel/cachefiles/ondemand.h"
#include "sim/scheduler/scheduler.h"
#include "sim/store/memory_store.h"

namespace coldread::bench {

struct Silence final : Trace, Log {
  void emit(std::string_view, std::string_view) override {}
  void printk(std::string_view) override {}
  void note(ReportKind, std::string_view) override {}
};

// What must not happen in a benchmark ends it.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "benchmark: %s\n", what);
  std::abort();
}

class BenchMachine {
 public:
  static constexpr uint64_t kBlock = 4096;
  static constexpr uint64_t kBlocks = 4096;  // of the object: 16 MiB

  static constexpr int kMaxFiles = 1'000'000;

  BenchMachine()
      : scheduler_(strategy_),
        kernel_(scheduler_, store_, silence_, silence_, *find_profile(kDefaultProfile)),
        files_(kernel_, 3, kMaxFiles),
        data_(static_cast<std::byte*>(std::aligned_alloc(kBlock, kBlock))) {
    store_.make_directory("/cache-disk");
    std::memset(data_, 0x5a, kBlock);
    Task& task = scheduler_.spawn("setup", false, setup, this);
    task.files = &files_;
    task.cwd = sim::MemoryStore::kRoot;
    require(scheduler_.run().kind == sim::RunEnd::Kind::finished, "the cache did not come up");
  }
  ~BenchMachine() { std::free(data_); }
  BenchMachine(const BenchMachine&) = delete;
  BenchMachine& operator=(const BenchMachine&) = delete;

  Kernel& kernel() { return kernel_; }
  sim::FiberScheduler& scheduler() { return scheduler_; }
  VolumeHandle volume() const { return volume_; }
  CookieHandle cookie() const { return cookie_; }
  CachefilesHandle cache() { return cookie_->cache_priv->volume->cache; }

  Task& spawn(const char* name, Scheduler::Entry entry, void* argument) {
    Task& task = scheduler_.spawn(name, false, entry, argument);
    task.files = &files_;
    return task;
  }

  // A reader's whole cold read of one block: the hole is found, the daemon asked, the data read.
  void cold_read(uint64_t block, std::span<std::byte> buffer) {
    netfs_cache_resources cres;
    require(fscache_begin_read_operation(kernel_, cres, cookie_) == 0, "begin failed");
    uint64_t length = kBlock;
    uint32_t flags = 1u << NETFS_SREQ_ONDEMAND;
    const auto start = static_cast<int64_t>(block * kBlock);
    require(cachefiles_prepare_read(kernel_, cres, start, &length, INT64_MAX, &flags, 0) ==
                    NETFS_READ_FROM_CACHE &&
                (flags & 1u << NETFS_SREQ_ONDEMAND) == 0,
            "the daemon was not asked");
    require(cachefiles_read(kernel_, cres, start, buffer, NETFS_READ_HOLE_FAIL, false) == kBlock,
            "the read failed");
    fscache_end_operation(kernel_, cres);
  }

  // Reads one message, if there is one, and answers it as a daemon would: data, then completion.
  bool serve_one() {
    const ssize_t got = sys_read(kernel_, device_, {message_, sizeof(message_)});
    if (got == 0) return false;
    uapi::cachefiles_msg header;
    uapi::cachefiles_read range;
    std::memcpy(&header, message_, sizeof(header));
    std::memcpy(&range, message_ + sizeof(header), sizeof(range));
    require(header.opcode == CACHEFILES_OP_READ, "not a READ");
    require(sys_pwrite(kernel_, anon_fd_, {data_, kBlock}, static_cast<int64_t>(range.off)) ==
                static_cast<ssize_t>(kBlock),
            "the daemon's write failed");
    require(sys_ioctl(kernel_, anon_fd_, CACHEFILES_IOC_READ_COMPLETE, header.msg_id) == 0,
            "completion failed");
    return true;
  }
  void wait_for_message() { sys_poll(kernel_, device_, POLLIN, kForever); }
  // Makes the whole object one hole again.
  void punch() { store_.punch_hole(cookie_->cache_priv->file, 0, kBlocks * kBlock); }

  int device() const { return device_; }
  int anon_fd() const { return anon_fd_; }

  void command(std::string_view text) {
    require(sys_write(kernel_, device_, std::as_bytes(std::span(text.data(), text.size()))) ==
                static_cast<ssize_t>(text.size()),
            "a command failed");
  }

 private:
  static void setup(void* argument) {
    auto& machine = *static_cast<BenchMachine*>(argument);
    Kernel& k = machine.kernel_;
    FileHandle file;
    require(cachefiles_daemon_open(k, O_RDWR, &file) == 0, "open failed");
    machine.device_ = get_unused_fd_flags(k, 0);
    fd_install(k, machine.device_, file);
    machine.command("dir /cache-disk");
    machine.command("bind ondemand");
    int error = 0;
    machine.volume_ = fscache_acquire_volume(k, "bench", "", {}, &error);
    constexpr std::string_view kKey = "object";
    machine.cookie_ =
        fscache_acquire_cookie(k, machine.volume_, FSCACHE_ADV_WANT_CACHE_SIZE,
                               std::as_bytes(std::span(kKey.data(), kKey.size())), {}, 0);
    fscache_use_cookie(k, machine.cookie_, false);
    machine.wait_for_message();
    require(sys_read(k, machine.device_, {machine.message_, sizeof(machine.message_)}) > 0,
            "no OPEN");
    uapi::cachefiles_open open;
    std::memcpy(&open, machine.message_ + sizeof(uapi::cachefiles_msg), sizeof(open));
    machine.anon_fd_ = static_cast<int>(open.fd);
    machine.command("copen 0,16777216");
    machine.scheduler_.wait_quiet({"settle", ""});
  }

  sim::FifoStrategy strategy_;
  sim::FiberScheduler scheduler_;
  sim::MemoryStore store_;
  Silence silence_;
  Kernel kernel_;
  files_struct files_;
  std::byte* data_;
  std::byte message_[1024] = {};
  VolumeHandle volume_;
  CookieHandle cookie_;
  int device_ = -1;
  int anon_fd_ = -1;
};

}  // namespace coldread::bench
