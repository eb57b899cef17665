// A soak: many readers, a daemon of several threads, and somebody who kills all of them at random,
// the server too.
//
// usage: soak COLDREAD [--seconds N] [--kernel PROFILE] [--readers N] [--threads N] [--seed N]
//
// Every byte is checked against a hash of its place. Killing readers, and the daemon while somebody
// keeps the device and a successor restores its requests, must fail no read of anybody else. Only
// while the device is released, or the server is killed or stopped, are there errors. Whenever the
// device has been released the cache's files are checked, and the server's memory and descriptors
// are noted: within one server's life they must not grow. Works below the current directory. Exit
// code 1: a finding, with what was seen; 77: no FUSE here.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <vector>

#include "tests/fuse/faults/cache_contents.h"
#include "tests/fuse/faults/process_state.h"
#include "tests/fuse/faults/soak_reader.h"
#include "tests/fuse/faults/threaded_daemon.h"

namespace coldread::faults {
namespace {

namespace fs = std::filesystem;

constexpr int kPatience = 60;              // seconds after which something counts as hung
constexpr size_t kMoreMemory = 48 * 1024;  // KiB
constexpr size_t kMoreDescriptors = 32;

struct Options {
  std::string coldread;
  std::string kernel = "6.12.117";
  int seconds = 300;
  int readers = 64;
  int threads = 4;
  uint32_t seed = std::random_device()();
};

class Finding : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A child that ends with this process.
template <typename Function>
pid_t child(Function function) {
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  function();
  _exit(0);
}

class Soak {
 public:
  explicit Soak(Options options) : options_(std::move(options)), random_(options_.seed) {
    std::string name = fs::current_path() / "soak.XXXXXX";
    directory_ = mkdtemp(name.data());
    for (const char* part : {"cache", "mount"}) fs::create_directory(directory_ / part);
    void* const shared =
        mmap(nullptr, sizeof(SoakState), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    state_ = new (shared) SoakState();
  }
  ~Soak() {
    for (const pid_t reader : readers_) end(reader, SIGKILL);
    end(daemon_, SIGKILL);
    end(server_, SIGKILL);
    umount2(mount().c_str(), MNT_FORCE);
    umount2(mount().c_str(), MNT_DETACH);
    std::error_code error;
    fs::remove_all(directory_, error);
  }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  void run() {
    state_->disturbances = 1;
    begin_life();
    for (int i = 0; i < options_.readers; i++) readers_.push_back(start_reader(i));
    state_->disturbances++;
    const auto start = std::chrono::steady_clock::now();
    const std::chrono::duration<double> whole(options_.seconds);
    // Five servers, and a cache every two seconds.
    const double cache_life = std::clamp(0.03 * options_.seconds, 0.4, 2.0) / options_.seconds;
    double next_life = 0.2, next_cache = cache_life;
    while (true) {
      const double part = (std::chrono::steady_clock::now() - start) / whole;
      if (part >= 1) break;
      usleep(static_cast<useconds_t>(below(40'000)));
      check();
      if (part > next_life) {
        next_life += 0.2;
        disturb([this] { another_server(); });
      } else if (part > next_cache) {
        next_cache = part + cache_life;
        disturb([this] { another_cache(); });
      } else if (below(3) == 0) {
        fail_over();
      } else {
        kill_a_reader();
      }
    }
    disturb([this] { end_life(); });
    check_growth();
  }

  void report() const {
    uint64_t reads = 0, bytes = 0, explained = 0;
    for (const SoakState::Reader& reader : state_->readers) {
      reads += reader.reads;
      bytes += reader.bytes;
      explained += reader.explained;
    }
    fmt::print("{} reads, {} MiB, {} explained errors\n", reads, bytes >> 20, explained);
    for (const auto& [what, count] : counts_) fmt::print("{:>8} {}\n", count, what);
    for (size_t life = 0; life < lives_.size(); life++) {
      const std::vector<ProcessState>& seen = lives_[life];
      if (seen.empty()) continue;
      fmt::print(
          "server {}: {} times at rest; memory {} .. {} KiB, descriptors {} .. {}, threads {} .. "
          "{}\n",
          life + 1, seen.size(), seen.front().memory, seen.back().memory, seen.front().descriptors,
          seen.back().descriptors, seen.front().threads, seen.back().threads);
    }
  }

  std::string server_log() const {
    std::ostringstream text;
    text << std::ifstream(directory_ / "log").rdbuf();
    return text.str();
  }

 private:
  size_t below(size_t limit) { return random_() % limit; }
  std::string mount() const { return directory_ / "mount"; }
  std::string cache() const { return directory_ / "cache"; }
  std::string volume(int i) const { return fmt::format("{}/volumes/v{}", mount(), i); }

  // --- processes ---

  static void end(pid_t& process, int signal) {
    if (process <= 0) return;
    kill(process, signal);
    for (int i = 0; waitpid(process, nullptr, WNOHANG) == 0; i++) {
      if (i > kPatience * 1000) throw Finding(fmt::format("process {} does not end", process));
      usleep(1000);
    }
    process = -1;
  }
  static void end(const pid_t& process, int signal) {
    pid_t copy = process;
    end(copy, signal);
  }

  pid_t start_program(const std::vector<std::string>& words) const {
    return child([&] {
      std::vector<char*> arguments;
      for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
      arguments.push_back(nullptr);
      const std::string log = directory_ / "log";
      const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      dup2(fd, STDOUT_FILENO);
      dup2(fd, STDERR_FILENO);
      execv(arguments[0], arguments.data());
      _exit(127);
    });
  }

  pid_t start_reader(int number) {
    const auto seed = static_cast<uint32_t>(random_());
    return child([&] {
      close(device_);
      soak_read(*state_, number, mount() + "/volumes", seed);
    });
  }

  void start_daemon(bool restores) {
    daemon_ = child([&] {
      ThreadedDaemon daemon(mount(), device_);
      if (restores && write(device_, "restore", 7) != 7) _exit(1);
      daemon.run(options_.threads);
    });
  }

  // --- a server's life, and in it a cache's ---

  void begin_life() {
    fs::remove(directory_ / "log");
    server_ = start_program(
        {options_.coldread, "serve", "--cache", cache(), "--kernel", options_.kernel, mount()});
    wait_for("the server",
             [this] { return server_log().find(": served as") != std::string::npos; });
    lives_.emplace_back();
    begin_cache();
  }

  void begin_cache() {
    // Another one, or the same: then what was read is there.
    if (below(2) == 0) {
      fs::remove_all(cache());
      fs::create_directory(cache());
      state_->generation++;
    }
    device_ = open((mount() + "/dev/cachefiles").c_str(), O_RDWR | O_CLOEXEC);
    if (device_ < 0)
      throw Finding(fmt::format("the device cannot be opened: {}", std::strerror(errno)));
    if (!ThreadedDaemon(mount(), device_).bind(cache())) throw Finding("the cache cannot be bound");
    start_daemon(/*restores=*/false);
    for (int i = 0; i < kVolumes; i++)
      if (::mkdir(volume(i).c_str(), 0755) < 0)
        throw Finding(fmt::format("mkdir: {}", std::strerror(errno)));
    state_->rest = false;
  }

  // The device is released, by chance before or after its daemon is killed.
  void release_device() {
    const bool first = below(2) == 0;
    if (first) close(std::exchange(device_, -1));
    end(daemon_, SIGKILL);
    if (!first) close(std::exchange(device_, -1));
  }

  void another_cache() {
    release_device();
    let_readers_rest();
    for (int i = 0; i < kVolumes; i++) remove_volume(i);
    // Nothing is open now.
    wait_for("the cache to be let go of", [this] {
      std::ifstream caches(mount() + "/proc/fs/fscache/caches");
      std::ostringstream text;
      text << caches.rdbuf();
      return text.str().find(" A ") == std::string::npos;
    });
    check_cache();
    lives_.back().push_back(state_of(server_));
    counts_["caches, after the device was released"]++;
    begin_cache();
  }

  void remove_volume(int i) {
    wait_for("a volume to be removed", [&] {
      return ::rmdir(volume(i).c_str()) == 0 || (errno != EBUSY && errno != ENOTEMPTY);
    });
  }

  void another_server() {
    const bool killed = below(3) != 0;
    if (killed) {
      end(server_, SIGKILL);
      end(daemon_, SIGKILL);
      close(std::exchange(device_, -1));
      let_readers_rest();
      pid_t umount = start_program({options_.coldread, "umount", mount()});
      end(umount, 0);
      counts_["servers killed"]++;
    } else {
      stop_server();
      let_readers_rest();
      counts_["servers stopped"]++;
    }
    check_cache();
    begin_life();
  }

  void stop_server() {
    kill(server_, SIGTERM);
    int status = 0;
    wait_for("the server's end", [&] { return waitpid(server_, &status, WNOHANG) == server_; });
    server_ = -1;
    if (status != 0) throw Finding(fmt::format("the server's status is {}", status));
    end(daemon_, SIGKILL);
    close(std::exchange(device_, -1));
  }

  void end_life() {
    release_device();
    let_readers_rest();
    for (int i = 0; i < kVolumes; i++) remove_volume(i);
    stop_server();
    check_cache();
  }

  // --- what happens all the time, and fails no read ---

  void fail_over() {
    end(daemon_, SIGKILL);
    start_daemon(/*restores=*/true);
    counts_["daemons killed, and their requests restored"]++;
  }

  void kill_a_reader() {
    const auto i = below(readers_.size());
    end(readers_[i], SIGKILL);
    state_->readers[i].since = 0;
    readers_[i] = start_reader(static_cast<int>(i));
    counts_["readers killed"]++;
  }

  // --- checks ---

  template <typename Function>
  void disturb(Function function) {
    state_->disturbances++;
    function();
    state_->disturbances++;
  }

  void let_readers_rest() {
    for (size_t i = 0; i < readers_.size(); i++) state_->readers[i].rests = false;
    state_->rest = true;
    wait_for("readers to rest", [this] {
      for (size_t i = 0; i < readers_.size(); i++)
        if (!state_->readers[i].rests) return false;
      return true;
    });
  }

  template <typename Condition>
  void wait_for(const char* what, Condition condition) {
    const int64_t start = steady_seconds();
    while (!condition()) {
      if (steady_seconds() - start > kPatience)
        throw Finding(fmt::format("waited in vain for {}", what));
      usleep(1000);
    }
  }

  void check() {
    if (state_->failed) throw Finding(state_->finding);
    for (size_t i = 0; i < readers_.size(); i++) {
      const int64_t since = state_->readers[i].since;
      if (since != 0 && steady_seconds() - since > kPatience) throw Finding("a reader hangs");
    }
    if (server_ > 0 && waitpid(server_, nullptr, WNOHANG) != 0) {
      server_ = -1;
      throw Finding("the server has ended");
    }
  }

  void check_cache() {
    const CacheContents contents = look_at_cache(cache());
    if (!contents.complaints.empty()) throw Finding(contents.complaints.front());
    counts_["objects found valid on the disk"] += contents.data.size();
  }

  void check_growth() {
    for (const std::vector<ProcessState>& seen : lives_) {
      if (seen.size() < 2) continue;
      // The first is not yet warm.
      const ProcessState& warm = seen[1];
      const ProcessState& last = seen.back();
      if (last.memory > warm.memory + kMoreMemory) throw Finding("the server's memory grows");
      if (last.descriptors > warm.descriptors + kMoreDescriptors)
        throw Finding("the server's descriptors grow");
    }
  }

  const Options options_;
  std::mt19937 random_;
  fs::path directory_;
  SoakState* state_ = nullptr;
  pid_t server_ = -1;
  pid_t daemon_ = -1;
  int device_ = -1;  // kept, so that daemons may die
  std::vector<pid_t> readers_;
  std::map<std::string, uint64_t> counts_;
  std::vector<std::vector<ProcessState>> lives_;  // of each server, at rest
};

int soak(const Options& options) {
  const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) {
    fmt::print("/dev/fuse cannot be opened: {}\n", std::strerror(errno));
    return 77;
  }
  close(fuse);
  fmt::print("seed {}, Linux {}, {} readers, {} threads, {} s\n", options.seed, options.kernel,
             options.readers, options.threads, options.seconds);
  std::fflush(stdout);
  Soak run(options);
  try {
    run.run();
    run.report();
    fmt::print("no finding\n");
    return 0;
  } catch (const Finding& finding) {
    run.report();
    fmt::print("FOUND: {}\nserver: {}\n", finding.what(), run.server_log());
    return 1;
  }
}

}  // namespace
}  // namespace coldread::faults

int main(int argc, char** argv) {
  coldread::faults::Options options;
  CLI::App app("Readers, daemons and servers killed at random, checked byte by byte");
  app.add_option("COLDREAD", options.coldread)->required();
  app.add_option("--seconds", options.seconds)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--kernel", options.kernel)->capture_default_str();
  app.add_option("--readers", options.readers)
      ->capture_default_str()
      ->check(CLI::Range(1, coldread::faults::kMostReaders));
  app.add_option("--threads", options.threads)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed);
  CLI11_PARSE(app, argc, argv);
  return coldread::faults::soak(options);
}
