#include "sim/cli/record_scenarios.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "sim/cli/agreement.h"
#include "sim/cli/batch.h"
#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/output_file.h"
#include "sim/cli/progress.h"

namespace coldread::cli {
namespace {

// What came of one scenario on one kernel.
struct Recorded {
  std::string profile;
  recordings::Recording recording;  // empty `seen`: nothing to record
  unsigned played = 0;
  std::string skipped;  // why there is nothing to record
  std::string error;
};

// A file's outcomes; `error`: it cannot be loaded.
struct FileRecorded {
  std::string error;
  std::vector<Recorded> kernels;
};

class Recorder {
 public:
  Recorder(const RecordRequest& request, const recordings::Recordings& known,
           const std::atomic<bool>& stop)
      : request_(request), known_(known), stop_(stop) {}

  // Thread rules: any number of calls at once.
  FileRecorded record(const std::string& path) {
    FileRecorded result;
    const Result<scenario::Scenario> scenario = scenario::load_file(path, load_options());
    if (!scenario) {
      result.error = scenario.error();
      return result;
    }
    for (const std::string& name : scenario->kernels) {
      if (!request_.kernel.empty() && request_.kernel != name) continue;
      const recordings::Recording* known = known_.find(name, recordings::scenario_name(path));
      if (request_.missing && known != nullptr && known->digest == scenario->digest) continue;
      result.kernels.push_back(record_on(*scenario, *find_profile(name)));
    }
    return result;
  }

 private:
  Recorded record_on(const scenario::Scenario& scenario, const Profile& profile) {
    Recorded result;
    result.profile = profile.name;
    sim::RunOptions on_model;
    on_model.profile = profile.name;
    result.skipped = scenario.unavailable;
    if (result.skipped.empty()) {
      result.skipped =
          why_not_expressible(scenario, profile, sim::run(scenario, on_model).transcript);
    }
    if (!result.skipped.empty()) return result;
    const live::KernelLookup kernel = kernels_.find(profile, scenario);
    if (!kernel.image) {
      result.error = kernel.reason;
      return result;
    }
    const unsigned times = is_race(scenario, result.profile) ? request_.repeat : 1;
    result.recording.digest = scenario.digest;
    for (unsigned i = 0; i < times && !stop_ && result.error.empty(); ++i) {
      play(scenario, *kernel.image, result);
    }
    if (stop_) result.error = "interrupted";
    return result;
  }

  void play(const scenario::Scenario& scenario, const live::KernelImage& image, Recorded& result) {
    live::GuestOptions options;
    options.hang_after_ms = static_cast<int>(request_.hang_after) * 1000;
    options.blob_directories = made_blob_directories();
    options.stop = &stop_;
    Result<player::Transcript> real = kernels_.guests().play(image, scenario, options);
    if (!real) {
      result.error = real.error();
    } else {
      result.recording.add(player::comparable(scenario, *real));
      ++result.played;
    }
  }

  const RecordRequest& request_;
  const recordings::Recordings& known_;
  const std::atomic<bool>& stop_;
  Kernels kernels_;
};

// Takes the outcomes in order, on one thread.
class Session {
 public:
  Session(recordings::Recordings& recordings, size_t files)
      : recordings_(recordings), progress_(files) {}

  void take(size_t index, const std::string& path, FileRecorded outcome) {
    progress_.clear();
    if (!outcome.error.empty()) {
      fmt::print(stderr, "coldread: {}\n", outcome.error);
      bad_input_ = true;
    }
    for (Recorded& one : outcome.kernels) take_one(path, one);
    progress_.show(index + 1, path);
  }

  int finish(bool interrupted) {
    progress_.clear();
    const Status saved = recordings_.save();
    if (!saved) fmt::print(stderr, "coldread: {}\n", saved.error());
    fmt::print("{} recorded{}\n", recorded_, interrupted ? "; interrupted" : "");
    if (interrupted) return kInterrupted;
    if (bad_input_ || !saved) return kBadInput;
    return failed_ ? kEnvironmentFailed : kPassed;
  }

 private:
  void take_one(const std::string& path, Recorded& one) {
    if (!one.error.empty()) {
      fmt::print(stderr, "coldread: {}  {}: {}\n", path, one.profile, one.error);
      failed_ = true;
    } else if (one.recording.seen.empty()) {
      fmt::print("skip   {}  {}: {}\n", path, one.profile, one.skipped);
    } else {
      fmt::print("ok     {}  {}  played {}, seen {}\n", path, one.profile, one.played,
                 one.recording.seen.size());
      recordings_.put(one.profile, recordings::scenario_name(path), std::move(one.recording));
      ++recorded_;
    }
    fflush(stdout);
  }

  recordings::Recordings& recordings_;
  Progress progress_;
  size_t recorded_ = 0;
  bool bad_input_ = false;
  bool failed_ = false;
};

Status make_directory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Error{directory + ": " + error.message()};
  return check_writable(directory + "/recordings");
}

int complain(const std::string& message) {
  fmt::print(stderr, "coldread: {}\n", message);
  return kBadInput;
}

}  // namespace

int record_scenarios(const RecordRequest& request) {
  const Result<std::vector<std::string>> files = find_scenarios(request.paths, request.filter);
  if (!files) return complain(files.error());
  Result<recordings::Recordings> recordings = recordings::Recordings::load(request.into);
  if (!recordings) return complain("--into " + recordings.error());
  if (const Status place = make_directory(request.into); !place)
    return complain("--into " + place.error());
  if (request.paths.empty() && request.filter.empty()) {
    std::vector<std::string> names;
    for (const std::string& file : *files) names.push_back(recordings::scenario_name(file));
    recordings->keep_only(names);
  }
  const std::atomic<bool>& stop = catch_interrupts();
  const recordings::Recordings known = *recordings;
  Recorder recorder(request, known, stop);
  Session session(*recordings, files->size());
  const unsigned jobs = std::clamp(std::thread::hardware_concurrency(), 1u, 4u);
  run_batch<FileRecorded>(
      files->size(), jobs, stop, [&](size_t i) { return recorder.record((*files)[i]); },
      [&](size_t i, FileRecorded outcome) { session.take(i, (*files)[i], std::move(outcome)); });
  return session.finish(stop);
}

}  // namespace coldread::cli
