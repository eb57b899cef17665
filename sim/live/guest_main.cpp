#include "sim/live/guest_main.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "sim/live/conductor.h"
#include "sim/live/disk_calls.h"
#include "sim/live/job.h"
#include "sim/live/kernel_trace.h"
#include "sim/live/proc_state.h"
#include "sim/scenario/loader.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

Error failed(const std::string& what) {
  return Error{fmt::format("{}: {}", what, std::strerror(errno))};
}

Status mount_at(const char* source, const std::string& target, const char* type,
                const std::string& options = "") {
  if (mount(source, target.c_str(), type, 0, options.empty() ? nullptr : options.c_str()) < 0) {
    return failed(fmt::format("mounting {} ({}) at {}", source, type, target));
  }
  return Nothing{};
}

Status prepare_machine(const GuestSetup& setup) {
  // Already there if the kernel mounts it itself.
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  Status done = mount_at("proc", "/proc", "proc");
  if (done) done = mount_at("sysfs", "/sys", "sysfs");
  if (done) done = mount_at("debugfs", "/sys/kernel/debug", "debugfs");
  if (done) done = mount_at("none", setup.out, "hostfs", setup.out);
  if (done) done = mount_at("tmpfs", setup.work, "tmpfs");
  return done;
}

Status load_module(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(path);
  const long result = syscall(SYS_finit_module, fd, "", 0);
  const int error = errno;
  close(fd);
  errno = error;
  if (result < 0) return failed(path + ": the kernel does not load it");
  return Nothing{};
}

// The disk is empty before and after; `play` gets a fresh directory on it.
template <typename Play>
Status with_disk(const GuestSetup& setup, Play play) {
  Status mounted = mount_at("/dev/ubda", setup.cache, "ext4", "noinit_itable");
  if (!mounted) return mounted;
  const std::string directory = setup.cache + "/c";
  if (mkdir(directory.c_str(), 0755) < 0) return failed(directory);
  if (!play(directory)) return Nothing{};  // what is stuck cannot be unmounted
  // A scenario may have left it frozen, or read-only.
  scenario::DiskCall thaw;
  thaw.operation = scenario::DiskOperation::thaw;
  change_disk(directory, thaw, {}, nullptr);
  mount(nullptr, setup.cache.c_str(), nullptr, MS_REMOUNT, nullptr);
  std::error_code error;
  fs::remove_all(directory, error);
  for (int tries = 0; umount(setup.cache.c_str()) < 0; ++tries) {
    if (tries == 100) return failed("unmounting " + setup.cache);
    std::this_thread::sleep_for(10ms);
  }
  return Nothing{};
}

GuestAnswer play_one(const GuestSetup& setup, const GuestTask& task, int netfs) {
  GuestAnswer answer;
  scenario::LoadOptions load;
  for (const std::string& directory : task.blob_directories) {
    load.blob_directories.emplace_back(directory);
  }
  Result<scenario::Scenario> scenario = scenario::load_file(task.path, load);
  if (!scenario) {
    answer.error = scenario.error();
    return answer;
  }
  const Status done = with_disk(setup, [&](const std::string& directory) {
    KernelUnderTest kernel;
    kernel.traced = true;
    Result<Played> played =
        play_scenario(*scenario, {directory, setup.work, netfs, task.hang_after_ms, kernel});
    if (!played) answer.error = played.error();
    if (played) answer.transcript = std::move(played->transcript);
    answer.last = !played || !played->clean;
    return !answer.last;
  });
  if (!done) {
    answer.last = true;
    if (answer.error.empty() && answer.transcript.tasks.empty()) answer.error = done.error();
  }
  utsname name{};
  uname(&name);
  answer.transcript.kernel = name.release;
  return answer;
}

// The host's next task; it comes whenever it likes, and if it never does, the host kills us.
Result<GuestTask> next_task(const GuestSetup& setup, size_t index) {
  const std::string path = task_path(setup.out, index);
  while (access(path.c_str(), F_OK) < 0) std::this_thread::sleep_for(3ms);
  return GuestTask::from_json(nlohmann::json::parse(read_file(path), nullptr, false));
}

Status play_all(const GuestSetup& setup) {
  const int netfs = move_up(open(COLDREAD_NETFS_DEVICE, O_RDWR | O_CLOEXEC));
  if (netfs < 0) return failed(COLDREAD_NETFS_DEVICE);
  if (Status ready = publish(ready_path(setup.out), ""); !ready) return ready;
  for (size_t i = 0;; ++i) {
    const Result<GuestTask> task = next_task(setup, i);
    if (!task) return Error{task.error()};
    const GuestAnswer answer = play_one(setup, *task, netfs);
    Status told = publish(answer_path(setup.out, i), answer.to_json().dump());
    if (!told || answer.last) return told;
  }
}

Status run_setup(const std::string& path) {
  Result<GuestSetup> setup =
      GuestSetup::from_json(nlohmann::json::parse(read_file(path), nullptr, false));
  if (!setup) return Error{setup.error()};
  Status done = prepare_machine(*setup);
  if (!done) return done;
  done = prepare_kernel_trace();
  if (done) done = load_module(setup->module);
  if (done) done = play_all(*setup);
  if (!done) publish(failed_path(setup->out), done.error()).ok();
  return done;
}

}  // namespace

int run_guest(const std::string& setup_path) {
  if (getpid() != 1) {
    fmt::print(stderr, "coldread guest: only the first process of a guest runs this\n");
    return 2;
  }
  try {
    if (const Status done = run_setup(setup_path); !done) fmt::print("guest: {}\n", done.error());
  } catch (const std::exception& error) {
    fmt::print("guest: {}\n", error.what());
  }
  fflush(nullptr);
  reboot(RB_POWER_OFF);
  return 1;
}

}  // namespace coldread::live
