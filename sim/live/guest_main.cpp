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
#include "sim/live/job.h"
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

// On the host's disk before it can be seen: the host may kill this machine at once.
Status publish(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed(temporary);
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  const bool whole = done == text.size() && fsync(fd) == 0;
  close(fd);
  if (!whole || rename(temporary.c_str(), path.c_str()) < 0) return failed(path);
  return Nothing{};
}

Status mount_at(const char* source, const std::string& target, const char* type,
                const std::string& options = "") {
  if (mount(source, target.c_str(), type, 0, options.empty() ? nullptr : options.c_str()) < 0) {
    return failed(fmt::format("mounting {} ({}) at {}", source, type, target));
  }
  return Nothing{};
}

Status prepare_machine(const Job& job) {
  // Already there if the kernel mounts it itself.
  mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  Status done = mount_at("proc", "/proc", "proc");
  if (done) done = mount_at("sysfs", "/sys", "sysfs");
  if (done) done = mount_at("none", job.out, "hostfs", job.out);
  if (done) done = mount_at("tmpfs", job.work, "tmpfs");
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
Status with_disk(const Job& job, int disk, Play play) {
  const std::string device = fmt::format("/dev/ubd{}", static_cast<char>('a' + disk));
  Status mounted = mount_at(device.c_str(), job.cache, "ext4", "noinit_itable");
  if (!mounted) return mounted;
  const std::string directory = job.cache + "/c";
  if (mkdir(directory.c_str(), 0755) < 0) return failed(directory);
  if (!play(directory)) return Nothing{};  // what is stuck cannot be unmounted
  std::error_code error;
  fs::remove_all(directory, error);
  for (int tries = 0; umount(job.cache.c_str()) < 0; ++tries) {
    if (tries == 100) return failed("unmounting " + job.cache);
    std::this_thread::sleep_for(10ms);
  }
  return Nothing{};
}

JobAnswer play_one(const Job& job, const JobScenario& item, int netfs) {
  JobAnswer answer;
  scenario::LoadOptions load;
  for (const std::string& directory : job.blob_directories)
    load.blob_directories.push_back(directory);
  Result<scenario::Scenario> scenario = scenario::load_file(item.path, load);
  if (!scenario) {
    answer.error = scenario.error();
    return answer;
  }
  const Status done = with_disk(job, item.disk, [&](const std::string& directory) {
    Result<Played> played =
        play_scenario(*scenario, {directory, job.work, netfs, job.hang_after_ms});
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

Status play_all(const Job& job) {
  const int netfs = move_up(open(COLDREAD_NETFS_DEVICE, O_RDWR | O_CLOEXEC));
  if (netfs < 0) return failed(COLDREAD_NETFS_DEVICE);
  if (Status ready = publish(ready_path(job.out), ""); !ready) return ready;
  for (size_t i = 0; i < job.scenarios.size(); ++i) {
    const JobAnswer answer = play_one(job, job.scenarios[i], netfs);
    if (Status told = publish(answer_path(job.out, i), answer.to_json().dump()); !told) return told;
    if (answer.last) break;
  }
  return Nothing{};
}

Status run_job(const std::string& job_path) {
  const auto text = nlohmann::json::parse(read_file(job_path), nullptr, false);
  Result<Job> job = Job::from_json(text);
  if (!job) return Error{job.error()};
  Status done = prepare_machine(*job);
  if (!done) return done;
  done = load_module(job->module);
  if (done) done = play_all(*job);
  if (!done) publish(failed_path(job->out), done.error()).ok();
  return done;
}

}  // namespace

int run_guest(const std::string& job_path) {
  if (getpid() != 1) {
    fmt::print(stderr, "coldread guest: only the first process of a guest runs this\n");
    return 2;
  }
  try {
    if (const Status done = run_job(job_path); !done) fmt::print("guest: {}\n", done.error());
  } catch (const std::exception& error) {
    fmt::print("guest: {}\n", error.what());
  }
  fflush(nullptr);
  reboot(RB_POWER_OFF);
  return 1;
}

}  // namespace coldread::live
