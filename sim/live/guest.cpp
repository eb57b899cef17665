#include "sim/live/guest.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>

#include "sim/live/guest_machine.h"
#include "sim/live/job.h"
#include "sim/live/kernel_log.h"
#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Answer = Result<player::Transcript>;

constexpr int kPollMs = 5;
constexpr size_t kLogLines = 8;

std::string log_text(const GuestMachine& machine) {
  const std::string lines = last_lines(machine.log(), kLogLines);
  return lines.empty() ? "; its console said nothing" : "; its console's last lines:\n" + lines;
}

// One guest with the scenarios it can take: as many as it has disks for.
class Guest {
 public:
  Guest(const KernelImage& image, const std::vector<const scenario::Scenario*>& scenarios,
        const GuestOptions& options, size_t first)
      : image_(image), scenarios_(scenarios), options_(options), first_(first) {}

  Status start() {
    if (Status planned = plan(); !planned) return planned;
    MachineSpec spec{image_, disks_, program_, {"guest", "{DIR}/job.json"}, options_.memory_mb};
    Result<std::unique_ptr<GuestMachine>> machine = GuestMachine::create(std::move(spec));
    if (!machine) return Error{machine.error()};
    machine_ = std::move(*machine);
    if (Status written = write_job(); !written) return written;
    if (Status booted = machine_->boot(); !booted) return booted;
    return wait_ready();
  }

  size_t end() const { return first_ + job_.scenarios.size(); }

  // The answer of scenario `index`; *last is set if the guest can take no further one.
  Answer answer(size_t index, bool* last) {
    *last = true;
    const std::string path = answer_path(job_.out, index - first_);
    const std::string& name = scenarios_[index]->path;
    if (Status there = wait_for(path, options_.scenario_limit_ms); !there) {
      return Error{fmt::format("{}: {}", name, there.error())};
    }
    const auto json = nlohmann::json::parse(read_file(path), nullptr, false);
    Result<JobAnswer> found = JobAnswer::from_json(json);
    if (!found) return Error{found.error()};
    *last = found->last;
    if (!found->error.empty()) return Error{fmt::format("{}: {}", name, found->error)};
    return std::move(found->transcript);
  }

 private:
  Status plan() {
    std::error_code error;
    program_ = options_.program.empty() ? fs::read_symlink("/proc/self/exe", error).string()
                                        : fs::absolute(options_.program, error).string();
    for (size_t i = first_; i < scenarios_.size(); ++i) {
      const uint64_t bytes = scenarios_[i]->cache_bytes;
      auto disk = std::find(disks_.begin(), disks_.end(), bytes);
      if (disk == disks_.end()) {
        if (disks_.size() == kMaxDisks) break;
        disk = disks_.insert(disk, bytes);
      }
      job_.scenarios.push_back({fs::absolute(scenarios_[i]->path, error).string(),
                                static_cast<int>(disk - disks_.begin())});
    }
    return Nothing{};
  }

  Status write_job() {
    std::error_code error;
    job_.out = machine_->directory() + "/out";
    job_.cache = machine_->directory() + "/cache";
    job_.work = machine_->directory() + "/work";
    job_.module = image_.module_path;
    job_.hang_after_ms = options_.hang_after_ms;
    for (const std::string& directory : options_.blob_directories) {
      job_.blob_directories.push_back(fs::absolute(directory, error).string());
    }
    const std::string path = machine_->directory() + "/job.json";
    std::ofstream out(path);
    out << job_.to_json().dump();
    out.close();
    return out ? Status(Nothing{}) : Error{path + ": cannot be written"};
  }

  Status wait_ready() {
    Status ready = wait_for(ready_path(job_.out), options_.boot_limit_ms);
    if (ready) return ready;
    return Error{
        fmt::format("no scenario could begin on Linux {}: {}", image_.release, ready.error())};
  }

  // Until the guest has put `path` there.
  Status wait_for(const std::string& path, int limit_ms) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(limit_ms);
    for (;;) {
      const bool ended = machine_->wait_end(kPollMs);
      if (access(path.c_str(), F_OK) == 0) return Nothing{};
      if (access(failed_path(job_.out).c_str(), F_OK) == 0) {
        return Error{"the guest gave up: " + read_file(failed_path(job_.out))};
      }
      if (ended) return Error{why_ended()};
      if (options_.stop && *options_.stop) return Error{"interrupted"};
      if (Clock::now() > deadline) {
        return Error{fmt::format("the guest did not answer for {} s{}", limit_ms / 1000,
                                 log_text(*machine_))};
      }
    }
  }

  std::string why_ended() const {
    const LogFindings findings = scan_kernel_log(machine_->log());
    if (findings.fatal)
      return "the guest's kernel failed: " + *findings.fatal + log_text(*machine_);
    return "the guest ended by itself" + log_text(*machine_);
  }

  const KernelImage& image_;
  const std::vector<const scenario::Scenario*>& scenarios_;
  const GuestOptions& options_;
  size_t first_;
  std::string program_;
  std::vector<uint64_t> disks_;
  Job job_;
  std::unique_ptr<GuestMachine> machine_;
};

}  // namespace

std::vector<Answer> run_on_kernel(const KernelImage& image,
                                  const std::vector<const scenario::Scenario*>& scenarios,
                                  const GuestOptions& options) {
  std::vector<Answer> answers;
  const auto add = [&](Answer answer) {
    answers.push_back(std::move(answer));
    if (options.on_result) options.on_result(answers.size() - 1, answers.back());
  };
  const auto stopped = [&] { return options.stop && *options.stop; };
  while (answers.size() < scenarios.size()) {
    if (stopped()) {
      add(Error{"interrupted"});
      continue;
    }
    Guest guest(image, scenarios, options, answers.size());
    if (Status started = guest.start(); !started) {
      while (answers.size() < scenarios.size()) add(Error{started.error()});
      break;
    }
    for (bool last = false; !last && answers.size() < guest.end();) {
      add(guest.answer(answers.size(), &last));
    }
  }
  return answers;
}

}  // namespace coldread::live
