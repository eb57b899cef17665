// `coldread serve`: a mount for readers and a device for daemons, until somebody ends it.
#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "fuse/mount/instance.h"
#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/recording.h"

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

struct ServeRequest {
  std::string cache;
  std::string kernel = std::string(kDefaultProfile);
  std::string daemon;
  std::string mountpoint;
  bool direct = false;
  std::string record;  // a file; empty: nothing is recorded
};

constexpr std::string_view kServeBlobs = "serve:";

int complain(const std::string& text) {
  fmt::print(stderr, "coldread: {}\n", text);
  return kBadInput;
}

// Signals as a file, so that they can be waited for with everything else. Before any thread starts.
int catch_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void print_report(fuse::Instance& instance) {
  auto text = std::make_shared<std::string>();
  if (instance.host().call(instance.server().reporting(text), std::chrono::seconds(5)))
    fmt::print(stderr, "{}", *text);
}

// Until a signal or the end of the mount.
void wait_for_end(fuse::Instance& instance, int signals, int ended) {
  while (true) {
    pollfd wanted[] = {{signals, POLLIN, 0}, {ended, POLLIN, 0}};
    if (poll(wanted, 2, -1) < 0) continue;
    if (wanted[1].revents != 0) return;
    signalfd_siginfo signal{};
    if (read(signals, &signal, sizeof(signal)) != sizeof(signal)) continue;
    if (signal.ssi_signo != SIGUSR1) return;
    print_report(instance);
  }
}

int start_daemon(fuse::Instance& instance, const std::string& cache, const std::string& blobs) {
  auto error = std::make_shared<int>(-ETIMEDOUT);
  instance.host().call(instance.server().serving_blobs(cache, blobs, error));
  if (*error == 0) return kPassed;
  fmt::print(stderr, "coldread: the built-in daemon could not bind {}: {}\n", cache,
             std::strerror(-*error));
  return kEnvironmentFailed;
}

int serve(const ServeRequest& request) {
  std::error_code error;
  if (!fs::is_directory(request.cache, error))
    return complain("--cache " + request.cache + ": expected an existing directory");
  if (!fs::is_directory(request.mountpoint, error))
    return complain(request.mountpoint +
                    ": expected an existing directory to mount on (if it was mounted before, "
                    "`coldread umount` cleans up)");
  std::string blobs;
  if (!request.daemon.empty()) {
    if (request.daemon.starts_with(kServeBlobs)) blobs = request.daemon.substr(kServeBlobs.size());
    if (!fs::is_directory(blobs, error))
      return complain("--daemon " + request.daemon +
                      ": expected serve:DIR with an existing directory");
    blobs = fs::canonical(blobs, error);
  }
  const Profile* const profile = find_profile(request.kernel);
  if (profile == nullptr)
    return complain("--kernel " + request.kernel + ": no such profile; see `coldread profiles`");

  fuse::InstanceOptions options;
  Recording recording(request.record, request.kernel, options.realtime);
  if (!recording.error().empty()) return complain("--record " + recording.error());
  options.tape = recording.tape();
  const int signals = catch_signals();
  const int ended = eventfd(0, EFD_CLOEXEC);
  options.profile = *profile;
  options.cache = fs::canonical(request.cache, error);
  options.mountpoint = fs::canonical(request.mountpoint, error);
  options.direct = request.direct;
  options.on_end = [ended] { eventfd_write(ended, 1); };
  options.on_printk = [](std::string_view line) {
    char text[600];
    const int length = std::snprintf(text, sizeof(text), "CacheFiles: %.*s\n",
                                     static_cast<int>(line.size()), line.data());
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, text, std::min(static_cast<size_t>(length), sizeof(text) - 1));
  };
  const std::string cache = options.cache, mountpoint = options.mountpoint;
  auto instance = fuse::Instance::start(std::move(options));
  if (!instance) {
    fmt::print(stderr, "coldread: {}\n", instance.error());
    return kEnvironmentFailed;
  }
  int result = blobs.empty() ? kPassed : start_daemon(**instance, cache, blobs);
  if (result == kPassed) {
    fmt::print("{}: served as Linux {} with its cache in {}\n", mountpoint, profile->name, cache);
    std::fflush(stdout);
    wait_for_end(**instance, signals, ended);
    print_report(**instance);
  }
  (*instance)->server().stop();
  if (const std::string broken = (*instance)->server().broken(); !broken.empty()) {
    fmt::print(stderr, "coldread: the modelled kernel broke: {}\n", broken);
    result = kBrokenInvariant;
  }
  recording.complain_of_gaps();
  return result;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("serve", "Mount for readers, with a device for daemons");
  auto request = std::make_shared<ServeRequest>();
  command->add_option("--cache", request->cache, "The directory that holds the cache")->required();
  command->add_option("--kernel", request->kernel, "Which kernel to be: see `coldread profiles`")
      ->capture_default_str();
  command->add_option(
      "--daemon", request->daemon,
      "serve:DIR starts a daemon that serves <volume>/<cookie> or <cookie> from DIR");
  command->add_flag("--direct", request->direct, kDirectHelp);
  command->add_option("--record", request->record,
                      "Write down all that happens, for `coldread run FILE` to play it again");
  command->add_option("MOUNTPOINT", request->mountpoint, "An empty directory")->required();
  command->footer(
      "In MOUNTPOINT: volumes/<volume>/<cookie> to read, dev/cachefiles for a daemon (it names "
      "the\n"
      "cache with `dir`), dev/anon/<object id> for an OPEN's fd, proc/fs/fscache, trace_pipe,\n"
      "requests. Ends with SIGINT, SIGTERM or `coldread umount`; SIGUSR1 prints what was read.\n\n"
      "Examples:\n"
      "  coldread serve --cache /var/cache/blobs --daemon serve:/srv/blobs /mnt/blobs\n"
      "  coldread serve --cache /tmp/cache --kernel 6.1.192 /mnt/blobs\n"
      "  coldread serve --cache /tmp/cache --record hang.jsonl /mnt/blobs; coldread run "
      "hang.jsonl");
  command->callback([&action, request] { action = [request] { return serve(*request); }; });
}

}  // namespace coldread::cli
