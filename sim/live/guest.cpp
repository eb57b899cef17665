#include "sim/live/guest.h"

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "sim/live/job.h"
#include "sim/live/kernel_log.h"
#include "sim/live/mounted_play.h"
#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Answer = Result<player::Transcript>;

constexpr int kPollMs = 3;
constexpr size_t kConsoleLines = 40;  // a whole oops

// What a kernel counts from its boot on is only alike in two that did nothing else before.
bool needs_fresh_kernel(const scenario::Scenario& scenario) {
  for (const scenario::TaskSpec& task : scenario.tasks)
    for (const scenario::Step& step : task.steps)
      if (step.verb == scenario::Verb::proc) return true;
  return false;
}

bool stopped(const GuestOptions& options) {
  return options.stop && *options.stop;
}

}  // namespace

// --- one guest
// -------------------------------------------------------------------------------------

Result<std::unique_ptr<Guest>> Guest::boot(const KernelImage& image, const DiskSpec& disk,
                                           const GuestOptions& options) {
  std::unique_ptr<Guest> guest(new Guest);
  guest->image_ = image;
  guest->disk_ = disk;
  guest->program_ = program_of(options);
  Result<std::unique_ptr<GuestMachine>> machine = GuestMachine::create(
      {image, disk, guest->program_, {"guest", "{DIR}/setup.json"}, options.memory_mb});
  if (!machine) return Error{machine.error()};
  guest->machine_ = std::move(*machine);
  const std::string& directory = guest->machine_->directory();
  guest->out_ = directory + "/out";
  const GuestSetup setup = {image.module_path, guest->out_, directory + "/cache",
                            directory + "/work"};
  Status done = publish(directory + "/setup.json", setup.to_json().dump());
  if (done) done = guest->machine_->boot();
  if (done) done = guest->wait_for(ready_path(guest->out_), options.boot_limit_ms, options);
  if (done) return guest;
  return Error{fmt::format("Linux {} cannot be used: {}", image.release, done.error())};
}

bool Guest::serves(const KernelImage& image, const DiskSpec& disk,
                   const GuestOptions& options) const {
  return !machine_->wait_end(0) && image.linux_path == image_.linux_path &&
         image.module_path == image_.module_path && disk == disk_ &&
         program_of(options) == program_;
}

Answer Guest::play(const scenario::Scenario& scenario, const GuestOptions& options) {
  std::error_code error;
  GuestTask task{fs::absolute(scenario.path, error).string(), {}, options.hang_after_ms};
  for (const std::string& directory : options.blob_directories) {
    task.blob_directories.push_back(fs::absolute(directory, error).string());
  }
  const size_t index = played_++;
  const std::string answer = answer_path(out_, index);
  usable_ = false;
  Status done = publish(task_path(out_, index), task.to_json().dump());
  if (done) done = wait_for(answer, options.scenario_limit_ms, options);
  if (!done) return Error{done.error()};
  Result<GuestAnswer> found =
      GuestAnswer::from_json(nlohmann::json::parse(read_file(answer), nullptr, false));
  if (!found) return Error{found.error()};
  usable_ = !found->last;
  if (!found->error.empty()) return Error{found->error};
  return std::move(found->transcript);
}

// Until the guest has put `path` there.
Status Guest::wait_for(const std::string& path, int limit_ms, const GuestOptions& options) {
  const auto deadline = Clock::now() + std::chrono::milliseconds(limit_ms);
  for (;;) {
    const bool ended = machine_->wait_end(kPollMs);
    if (access(path.c_str(), F_OK) == 0) return Nothing{};
    if (access(failed_path(out_).c_str(), F_OK) == 0) {
      return Error{"the guest gave up: " + read_file(failed_path(out_))};
    }
    if (ended) return Error{why_ended()};
    if (stopped(options)) return Error{"interrupted"};
    if (Clock::now() > deadline) {
      return Error{fmt::format("the guest did not answer for {} s{}", limit_ms / 1000, console())};
    }
  }
}

std::string Guest::why_ended() const {
  const LogFindings findings = scan_kernel_log(machine_->log());
  if (findings.fatal) return "the guest's kernel failed: " + *findings.fatal + console();
  return "the guest ended by itself" + console();
}

std::string Guest::console() const {
  const std::string lines = last_lines(machine_->log(), kConsoleLines);
  return lines.empty() ? "; its console said nothing" : "; its console's last lines:\n" + lines;
}

// --- many
// ------------------------------------------------------------------------------------------

std::unique_ptr<Guest> GuestPool::take(const KernelImage& image, const DiskSpec& disk,
                                       const GuestOptions& options) {
  const std::lock_guard guard(lock_);
  for (auto guest = idle_.begin(); guest != idle_.end(); ++guest) {
    if (!(*guest)->serves(image, disk, options)) continue;
    std::unique_ptr<Guest> taken = std::move(*guest);
    idle_.erase(guest);
    return taken;
  }
  return nullptr;
}

void GuestPool::give_back(std::unique_ptr<Guest> guest) {
  std::unique_ptr<Guest> surplus;  // ends outside of the lock: that takes a while
  const std::lock_guard guard(lock_);
  idle_.push_back(std::move(guest));
  if (idle_.size() <= keep_) return;
  surplus = std::move(idle_.front());
  idle_.pop_front();
}

Answer GuestPool::play(const KernelImage& image, const scenario::Scenario& scenario,
                       const GuestOptions& options) {
  const DiskSpec disk = {scenario.cache_bytes, scenario.cache_inodes, scenario.cache_block};
  std::unique_ptr<Guest> guest;
  if (!needs_fresh_kernel(scenario)) guest = take(image, disk, options);
  if (!guest) {
    Result<std::unique_ptr<Guest>> booted = Guest::boot(image, disk, options);
    if (!booted) return Error{booted.error()};
    guest = std::move(*booted);
  }
  Answer answer = guest->play(scenario, options);
  if (guest->usable()) give_back(std::move(guest));
  return answer;
}

}  // namespace coldread::live
