// The pieces of `coldread exec` in the order in which they must be made, and unmade.
#include "sim/cli/exec_program.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "fuse/host/own_descriptor.h"
#include "fuse/mount/instance.h"
#include "fuse/supervisor/command.h"
#include "fuse/supervisor/filter.h"
#include "fuse/supervisor/mounted_device.h"
#include "fuse/supervisor/mounted_images.h"
#include "fuse/supervisor/supervisor.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/recording.h"

namespace coldread::cli {
namespace {

int complain(const std::string& message) {
  fmt::print(stderr, "coldread exec: {}\n", message);
  return kEnvironmentFailed;
}

int complain_of_input(const std::string& message) {
  complain("--record " + message);
  return kBadInput;
}

// The mountpoint: the one that was asked for, or a directory of our own.
class Mountpoint {
 public:
  explicit Mountpoint(const std::string& wanted)
      : path_(wanted.empty() ? wanted : std::filesystem::absolute(wanted).string()),
        own_(wanted.empty()) {
    if (!own_) return;
    std::string name = std::filesystem::temp_directory_path() / "coldread-XXXXXX";
    path_ = mkdtemp(name.data()) != nullptr ? name : std::string();
  }
  ~Mountpoint() {
    if (!own_) return;
    // Left over when somebody cut the connection with files in use.
    umount2(path_.c_str(), MNT_DETACH);
    rmdir(path_.c_str());
  }
  Mountpoint(const Mountpoint&) = delete;
  Mountpoint& operator=(const Mountpoint&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool own_;
};

// Stops the server when the command is over, or when somebody has unmounted it or the model is
// broken: then whoever waits for it gets an error, and the command can end.
class Stopper {
 public:
  ~Stopper() { stop(); }
  Stopper() = default;
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;

  // Once.
  void look_after(fuse::Server& server) {
    thread_ = std::thread([this, &server] {
      asked_.get_future().wait();
      server.stop();
      const std::lock_guard guard(lock_);
      stopped_ = true;
      if (afterwards_) afterwards_();
    });
  }
  // Called when it has stopped, which may be now. Once.
  void afterwards(std::function<void()> call) {
    const std::lock_guard guard(lock_);
    if (stopped_)
      call();
    else
      afterwards_ = std::move(call);
  }
  // From any thread.
  void ask() {
    if (!was_asked_.exchange(true)) asked_.set_value();
  }
  // Returns when it has stopped.
  void stop() {
    ask();
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::promise<void> asked_;
  std::atomic<bool> was_asked_{false};
  std::thread thread_;
  std::mutex lock_;  // of what follows
  bool stopped_ = false;
  std::function<void()> afterwards_;
};

fuse::WatchedRange range_of_this_machine() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return fuse::watched_range(limit.rlim_cur);
}

bool redirect(fuse::Supervisor& supervisor, uint32_t thread) {
  const bool done = thread != 0 && supervisor.redirect(static_cast<pid_t>(thread));
  if (!done) {
    fmt::print(stderr,
               "coldread exec: thread {} reads an OPEN at a descriptor number at which its reads "
               "are not seen, and cannot be traced: the OPEN fails\n",
               thread);
  }
  return done;
}

// What has been read of each object, as `serve` tells it.
void print_report(fuse::Server& server) {
  auto text = std::make_shared<std::string>();
  if (server.host().call(server.reporting(text), std::chrono::seconds(5)))
    fmt::print(stderr, "{}", *text);
}

// The command, over a server that has been started.
int supervise(const ExecRequest& request, fuse::Server& server, const std::string& mountpoint,
              const fuse::KeptSignals& signals, Stopper& stopper) {
  const fuse::WatchedRange range = request.watch_all ? fuse::kWatchAll : range_of_this_machine();
  const Result<std::vector<sock_filter>> filter = fuse::make_filter(range);
  if (!filter) return complain(filter.error());
  setenv("COLDREAD_MOUNT", mountpoint.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  fuse::MountedDevice service(server, mountpoint);
  fuse::MountedImages images(server);
  fuse::Command::View view;
  view.private_mounts = !request.host_mounts;
  const fuse::OwnDescriptor kmsg(open(server.kmsg_path().c_str(), O_PATH | O_CLOEXEC));
  if (kmsg && access("/dev/kmsg", F_OK) == 0) view.kmsg = server.kmsg_path();
  const Result<fuse::Command> command = fuse::Command::start(request.words, *filter, signals, view);
  if (!command) return complain(command.error());
  if (const int error = command->exec_error(); error != 0) {
    fmt::print(stderr, "coldread exec: {}: {}\n", request.words[0], std::strerror(error));
  }
  fuse::Supervisor supervisor(command->listener(), range, service, &images);
  server.host().call(service.supervising({
      .redirect = [&](uint32_t thread) { return redirect(supervisor, thread); },
      .listener = supervisor.listener(),
      .receive = [&] { return supervisor.receive(); },
  }));
  stopper.afterwards([&] { supervisor.receive_alone(); });
  const int status = command->wait(signals, [&server] { print_report(server); });
  stopper.stop();  // before the supervisor ends: a fiber may be about to redirect
  if (server.broken().empty()) return status;
  complain(server.broken());
  return kBrokenInvariant;
}

}  // namespace

int exec_program(const ExecRequest& request) {
  const fuse::KeptSignals signals;  // before there are other threads
  const Mountpoint mountpoint(request.mountpoint);
  if (mountpoint.path().empty()) return complain("no temporary directory");
  fuse::InstanceOptions options;
  Recording recording(request.record, request.kernel, options.realtime);
  if (!recording.error().empty()) return complain_of_input(recording.error());
  Stopper stopper;
  options.tape = recording.tape();
  options.profile = *find_profile(request.kernel);
  options.cache = "/";  // the daemon says where below
  options.mountpoint = mountpoint.path();
  options.direct = request.direct;
  options.on_end = [&stopper] {
    fmt::print(stderr, "coldread exec: the mount is gone\n");
    stopper.ask();
  };
  options.on_printk = [](std::string_view line) {
    fmt::print(stderr, "coldread: kernel: {}\n", line);
  };
  const auto instance = fuse::Instance::start(std::move(options));
  if (!instance) return complain(instance.error());
  fuse::Server& server = (*instance)->server();
  stopper.look_after(server);
  const int status = supervise(request, server, mountpoint.path(), signals, stopper);
  stopper.stop();  // before the instance ends
  recording.complain_of_gaps();
  return status;
}

}  // namespace coldread::cli
