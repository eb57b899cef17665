// Calls of many tasks at once, as they are when helper threads make the system calls: each call
// sleeps until a helper, a task of its own, gets to it, in random order.
#include <random>
#include <set>

#include "sim/scheduler/scheduler.h"
#include "tests/fuse/store/store_fixture.h"

namespace coldread::fuse {
namespace {

class Helper final : public Offload {
 public:
  Helper(sim::FiberScheduler& scheduler, unsigned seed) : scheduler_(scheduler), random_(seed) {}

  void run(void (*function)(void*), void* argument) override {
    Call call{function, argument, scheduler_.current()};
    calls_.push_back(&call);
    if (idle_ != nullptr) scheduler_.wake(*idle_);
    while (!call.done) scheduler_.block({.name = "a helper"});
  }

  void work() {
    for (;;) {
      while (calls_.empty()) {
        idle_ = scheduler_.current();
        scheduler_.block({.name = "calls", .idle = true});
      }
      std::swap(calls_[random_() % calls_.size()], calls_.back());
      Call* call = calls_.back();
      calls_.pop_back();
      call->function(call->argument);
      // Some of what it brings about is seen only later.
      for (auto i = random_() % 3; i > 0; --i) scheduler_.preemption_point(nullptr);
      call->done = true;
      scheduler_.wake(*call->caller);
    }
  }

 private:
  struct Call {
    void (*function)(void*);
    void* argument;
    Task* caller;
    bool done = false;
  };
  sim::FiberScheduler& scheduler_;
  std::mt19937 random_;
  std::vector<Call*> calls_;
  Task* idle_ = nullptr;
};

class InterleavedCalls : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr int kTasks = 8;
  static constexpr int kSteps = 300;
  static constexpr size_t kMaxOpen = 5;

  struct Worker {
    InterleavedCalls* test;
    std::mt19937 random;
    AlignedMemory memory{4096};
    std::vector<InodeNumber> held;
  };

  InterleavedCalls() {
    DirectoryStoreOptions options;
    options.max_open = kMaxOpen;
    options.on_misuse = [](std::string_view text) { ADD_FAILURE() << text; };
    store_ = std::move(*DirectoryStore::open(helper_, directory_.path(), options));
    scheduler_.spawn(
        "helper", true, [](void* helper) { static_cast<Helper*>(helper)->work(); }, &helper_);
    for (unsigned i = 0; i < kTasks; ++i) {
      workers_.push_back({this, std::mt19937{GetParam() * 100 + i}, AlignedMemory{4096}, {}});
    }
    for (Worker& worker : workers_) {
      scheduler_.spawn(
          "worker", false,
          [](void* at) { static_cast<Worker*>(at)->test->work(*static_cast<Worker*>(at)); },
          &worker);
    }
  }

  // What two tasks may do to each other; neither -ESTALE nor -EBADF is among it.
  void check(int64_t result) {
    static const std::set<int64_t> kExpected = {-ENOENT,    -EEXIST,    -EISDIR, -ENOTDIR,
                                                -EINVAL,    -EPERM,     -ENXIO,  -ENODATA,
                                                -ENOTEMPTY, -EOPNOTSUPP};
    if (result < 0) {
      EXPECT_TRUE(kExpected.contains(result)) << result;
    }
  }

  void work(Worker& worker) {
    store_->get(store_->root());
    worker.held.push_back(store_->root());
    for (int i = 0; i < kSteps; ++i) step(worker);
    for (const InodeNumber inode : worker.held) store_->put(inode);
  }

  void step(Worker& worker) {
    const auto pick = [&](size_t limit) { return worker.random() % limit; };
    const InodeNumber inode = worker.held[pick(worker.held.size())];
    const InodeNumber other = worker.held[pick(worker.held.size())];
    const char letters[] = {static_cast<char>('a' + pick(4)), static_cast<char>('a' + pick(4))};
    const std::string_view name(letters, 1);
    const std::string_view second(letters + 1, 1);
    InodeNumber made = 0;
    FileAttributes attributes;
    switch (pick(10)) {
      case 0:
        return keep(worker, store_->tmpfile(store_->root(), 0600, &made), &made);
      case 1:
        return keep(worker, store_->mkdir(inode, name, 0700, &made), &made);
      case 2:
      case 3:
        return keep(worker, store_->lookup(inode, name, &made), &made);
      case 4:
        return check(store_->link(inode, other, name));
      case 5:
        return check(store_->unlink(inode, name));
      case 6:
        return check(store_->rename(inode, name, other, second));
      case 7:
        return check(store_->write(inode, pick(4) * 4096, {worker.memory.data(), 4096}));
      case 8:
        check(store_->getattr(inode, &attributes));
        return check(store_->seek(inode, 0, Whence::data));
      default:
        if (worker.held.size() < 2) return;
        std::swap(worker.held[1 + pick(worker.held.size() - 1)], worker.held.back());
        store_->put(worker.held.back());
        worker.held.pop_back();
    }
  }

  void keep(Worker& worker, int result, const InodeNumber* made) {
    check(result);
    if (result == 0) worker.held.push_back(*made);
  }

  DiskDirectory directory_;
  sim::RandomStrategy strategy_{GetParam()};
  sim::FiberScheduler scheduler_{strategy_};
  Helper helper_{scheduler_, GetParam()};
  std::vector<Worker> workers_;
  std::unique_ptr<DirectoryStore> store_;
};

TEST_P(InterleavedCalls, HarmNobody) {
  const size_t before = open_descriptors();
  const sim::RunEnd end = scheduler_.run();
  EXPECT_EQ(end.kind, sim::RunEnd::Kind::finished) << end.text;
  EXPECT_EQ(store_->inodes_in_use(), 1U);
  store_.reset();
  EXPECT_LE(open_descriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(Seeds, InterleavedCalls, testing::Range(1U, 9U));

}  // namespace
}  // namespace coldread::fuse
