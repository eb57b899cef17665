#include "fuse/supervisor/mounted_images.h"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

namespace coldread::fuse {
namespace {

constexpr std::chrono::milliseconds kLook(50);  // how often a waiter looks whether it is wanted

// A job under way, for its waiter and its fiber: whoever is last throws it away.
struct Pending {
  std::function<int()> job;
  std::mutex mutex;  // of what follows
  std::condition_variable ended;
  bool done = false;
  int result = 0;
  Task* task = nullptr;  // the host's thread's
};

}  // namespace

// Runs it as the call of a process that may be killed meanwhile.
int MountedImages::wait_for(std::function<int()> job, const Wanted& wanted) {
  const auto pending = std::make_shared<Pending>();
  pending->job = std::move(job);
  const auto run = [this, pending] {
    pending->task = server_.kernel().scheduler.current();
    const int result = pending->job();
    const std::lock_guard lock(pending->mutex);
    pending->task = nullptr;
    pending->result = result;
    pending->done = true;
    pending->ended.notify_all();
  };
  const auto kill = [this, pending] {
    if (pending->task != nullptr) server_.kernel().scheduler.kill(*pending->task);
  };
  Host& host = server_.host();
  if (!host.post(Job{run, "mount"})) return -EIO;
  std::unique_lock lock(pending->mutex);
  bool killed = false;
  while (!pending->ended.wait_for(lock, kLook, [&] { return pending->done; })) {
    lock.unlock();
    const bool unwanted = !wanted();
    const bool served = host.post(unwanted && !killed ? kill : std::function<void()>([] {}));
    if (!served) return -EIO;  // it has stopped: nobody will answer
    killed = killed || unwanted;
    lock.lock();
  }
  return pending->result;
}

int MountedImages::check_option(const std::string& option) const {
  ErofsOptions scratch;
  return scratch.add(server_.kernel().profile, option);
}

int MountedImages::mount(const std::vector<std::string>& options, const std::string& name,
                         Attach attach, Wanted wanted) {
  if (server_.host().tape().on()) return -EOPNOTSUPP;  // a recording is of one file system
  ErofsOptions parsed;
  for (const std::string& option : options) {
    if (const int error = parsed.add(server_.kernel().profile, option); error != 0) return error;
  }
  const auto connect = [attach = std::move(attach)](Session& session) {
    const int connection = session.connect();
    return connection < 0 ? connection : attach(connection);
  };
  return wait_for(
      [this, parsed, name, connect = ErofsMount::Attach(connect)] {
        return server_.images().mount(parsed, name, connect);
      },
      wanted);
}

void MountedImages::unmounted(Wanted wanted) {
  if (server_.host().tape().on()) return;
  wait_for(
      [this] {
        server_.images().settle();
        return 0;
      },
      wanted);
}

void MountedImages::ignored_options() {
  if (server_.host().tape().on()) return;
  server_.host().post([this] {
    pr_notice(server_.kernel(),
              "erofs: (device erofs): ignoring reconfiguration for fsid|domain_id.");
  });
}

std::string MountedImages::kernel_log(size_t size, bool clear) {
  KernelRing& ring = server_.log().ring();
  std::string text = ring.text(size);
  if (clear) ring.clear();
  return text;
}

}  // namespace coldread::fuse
