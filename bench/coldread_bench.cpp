// How fast the model is: whole cold reads, many readers waiting at once, many cookies, a full
// request table.
//
// The reader and the daemon are fibers of one scheduler, first in first out; handles are checked,
// tracing is off. Figures and how they were taken are in bench/README.md.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdio>

#include "bench/bench_machine.h"

namespace coldread::bench {
namespace {

// --- cold_read: one reader, one daemon, one block after the other --------------------------------

struct ColdRead {
  BenchMachine machine;
  benchmark::State* state = nullptr;
  alignas(BenchMachine::kBlock) std::byte buffer[BenchMachine::kBlock];
  bool done = false;

  static void reader(void* argument) {
    auto& run = *static_cast<ColdRead*>(argument);
    uint64_t block = 0;
    while (run.state->KeepRunning()) {
      run.machine.cold_read(block, run.buffer);
      if (++block == BenchMachine::kBlocks) {
        run.machine.punch();
        block = 0;
      }
    }
    run.done = true;
    run.machine.cache()->daemon_pollwq.wake_up_all();
  }

  static void daemon(void* argument) {
    auto& run = *static_cast<ColdRead*>(argument);
    while (!run.done) {
      if (!run.machine.serve_one()) run.machine.wait_for_message();
    }
  }
};

void cold_read(benchmark::State& state) {
  auto run = std::make_unique<ColdRead>();
  run->state = &state;
  run->machine.spawn("reader", ColdRead::reader, run.get());
  run->machine.spawn("daemon", ColdRead::daemon, run.get());
  run->machine.scheduler().run();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(cold_read);

// --- cold_read_waiting/N: N readers are asleep before the daemon answers the first ---------------

struct WaitingReaders {
  explicit WaitingReaders(size_t how_many)
      : count(how_many), start(machine.scheduler(), "next round") {}

  struct Reader {
    WaitingReaders* run;
    uint64_t block;
  };

  BenchMachine machine;
  size_t count;
  WaitQueue start;
  std::vector<Reader> readers;
  benchmark::State* state = nullptr;
  uint64_t round = 0;
  size_t finished = 0;
  bool done = false;
  alignas(BenchMachine::kBlock) std::byte buffer[BenchMachine::kBlock];

  static void reader(void* argument) {
    auto& self = *static_cast<Reader*>(argument);
    WaitingReaders& run = *self.run;
    for (uint64_t next = 1;; next++) {
      run.start.wait_event([&] { return run.round >= next || run.done; });
      if (run.done) return;
      run.machine.cold_read(self.block, run.buffer);
      run.finished++;
    }
  }

  static void daemon(void* argument) {
    auto& run = *static_cast<WaitingReaders*>(argument);
    while (run.state->KeepRunning()) {
      run.machine.punch();
      run.finished = 0;
      run.round++;
      run.start.wake_up_all();
      run.machine.scheduler().wait_quiet({"settle", ""});
      require(run.machine.cache()->reqs.count() == run.count, "not all readers wait");
      while (run.machine.serve_one()) {
      }
      run.machine.scheduler().wait_quiet({"settle", ""});
      require(run.finished == run.count, "not all readers were served");
    }
    run.done = true;
    run.start.wake_up_all();
  }
};

void cold_read_waiting(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  auto run = std::make_unique<WaitingReaders>(count);
  run->state = &state;
  run->readers.reserve(count);
  for (size_t i = 0; i < count; i++) {
    run->readers.push_back({run.get(), i % BenchMachine::kBlocks});
    run->machine.spawn("reader", WaitingReaders::reader, &run->readers.back());
  }
  run->machine.spawn("daemon", WaitingReaders::daemon, run.get());
  run->machine.scheduler().run();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * state.range(0));
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_MiB"] = static_cast<double>(usage.ru_maxrss) / 1024;
}
BENCHMARK(cold_read_waiting)->Arg(1)->Arg(100)->Arg(10'000)->Arg(100'000);

// --- cookies/N: a cookie acquired, looked up, withdrawn and relinquished beside N others ---------

struct Cookies {
  BenchMachine machine;
  size_t count = 0;
  std::vector<int> fds;  // by object id
  benchmark::State* state = nullptr;
  std::byte message[1024] = {};
  bool done = false;

  CookieHandle look_up(size_t key) {
    Kernel& k = machine.kernel();
    const CookieHandle cookie = fscache_acquire_cookie(
        k, machine.volume(), FSCACHE_ADV_WANT_CACHE_SIZE, std::as_bytes(std::span(&key, 1)), {}, 0);
    fscache_use_cookie(k, cookie, false);
    return cookie;
  }

  static void netfs(void* argument) {
    auto& run = *static_cast<Cookies*>(argument);
    Kernel& k = run.machine.kernel();
    for (size_t i = 0; i < run.count; i++) run.look_up(i);
    run.machine.scheduler().wait_quiet({"settle", ""});
    const uint64_t others = k.fscache.cookie_pool.live();
    while (run.state->KeepRunning()) {
      const CookieHandle cookie = run.look_up(run.count);
      run.machine.scheduler().wait_quiet({"settle", ""});
      require(cookie->state == FSCACHE_COOKIE_STATE_ACTIVE, "the cookie was not looked up");
      fscache_unuse_cookie(k, cookie, {}, nullptr);
      fscache_relinquish_cookie(k, cookie, false);
      run.machine.scheduler().wait_quiet({"settle", ""});
      require(k.fscache.cookie_pool.live() == others, "the cookie is left");
    }
    run.done = true;
    run.machine.cache()->daemon_pollwq.wake_up_all();
  }

  static void daemon(void* argument) {
    auto& run = *static_cast<Cookies*>(argument);
    while (!run.done) {
      if (!run.serve_one()) run.machine.wait_for_message();
    }
  }

  // OPEN is answered with a size, CLOSE by closing the fd.
  bool serve_one() {
    Kernel& k = machine.kernel();
    if (sys_read(k, machine.device(), {message, sizeof(message)}) == 0) return false;
    uapi::cachefiles_msg header;
    std::memcpy(&header, message, sizeof(header));
    if (header.opcode == CACHEFILES_OP_OPEN) {
      uapi::cachefiles_open open;
      std::memcpy(&open, message + sizeof(header), sizeof(open));
      if (fds.size() <= header.object_id) fds.resize(header.object_id + size_t{1});
      fds[header.object_id] = static_cast<int>(open.fd);
      char command[32];
      const int length = std::snprintf(command, sizeof command, "copen %u,4096", header.msg_id);
      machine.command({command, static_cast<size_t>(length)});
    } else {
      require(close_fd(k, fds[header.object_id]) == 0, "the fd was not open");
    }
    return true;
  }
};

void cookies(benchmark::State& state) {
  auto run = std::make_unique<Cookies>();
  run->state = &state;
  run->count = static_cast<size_t>(state.range(0));
  run->machine.spawn("netfs", Cookies::netfs, run.get());
  run->machine.spawn("daemon", Cookies::daemon, run.get());
  run->machine.scheduler().run();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(cookies)->Arg(1'000)->Arg(10'000)->Arg(100'000);

// --- request_queue/N: the table alone, with N requests that the daemon has read and not answered
// --

struct RequestQueue {
  BenchMachine machine;
  benchmark::State* state = nullptr;
  size_t count = 0;
  std::byte message[1024] = {};

  ReqHandle enqueue() {
    Kernel& k = machine.kernel();
    const ReqHandle req = k.cachefiles.req_pool.create(k.scheduler, machine.cookie()->cache_priv);
    static_cast<uapi::cachefiles_msg&>(req->msg) = {
        0, CACHEFILES_OP_READ, sizeof(uapi::cachefiles_msg) + sizeof(uapi::cachefiles_read), 0};
    req->msg.read = {0, BenchMachine::kBlock};
    uint64_t id = 0;
    require(cachefiles_ondemand_enqueue_req(machine.cache(), req, &id) == 0, "no room");
    return req;
  }

  // Selects the only unread request; returns its id.
  uint32_t select() {
    require(cachefiles_ondemand_daemon_read(machine.kernel(), machine.cache(),
                                            {message, sizeof(message)}) > 0,
            "nothing to read");
    uapi::cachefiles_msg header;
    std::memcpy(&header, message, sizeof(header));
    return header.msg_id;
  }

  static void play(void* argument) {
    auto& run = *static_cast<RequestQueue*>(argument);
    Kernel& k = run.machine.kernel();
    for (size_t i = 0; i < run.count; i++) {
      run.enqueue();
      run.select();
    }
    while (run.state->KeepRunning()) {
      const ReqHandle req = run.enqueue();
      const uint32_t id = run.select();
      require(sys_ioctl(k, run.machine.anon_fd(), CACHEFILES_IOC_READ_COMPLETE, id) == 0,
              "completion failed");
      cachefiles_req_put(k, req);
    }
  }
};

void request_queue(benchmark::State& state) {
  auto run = std::make_unique<RequestQueue>();
  run->state = &state;
  run->count = static_cast<size_t>(state.range(0));
  run->machine.spawn("queue", RequestQueue::play, run.get());
  run->machine.scheduler().run();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(request_queue)->Arg(1'000)->Arg(1'000'000);

}  // namespace
}  // namespace coldread::bench

BENCHMARK_MAIN();
