// What the host tells a guest to do, and where the guest puts its answers: the one file between
// them.
//
// The guest writes into `out`: "ready" once scenarios can begin, "N.json" when scenario N is over,
// or "failed" with a sentence if it cannot begin. Files appear whole, by rename.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/player/transcript.h"
#include "sim/result.h"

namespace coldread::live {

struct JobScenario {
  std::string path;  // absolute
  int disk = 0;      // index of the guest's disk: 0 is /dev/ubda
};

struct Job {
  std::vector<JobScenario> scenarios;
  std::vector<std::string> blob_directories;  // absolute
  std::string module;                         // coldread_netfs.ko
  std::string out;                            // on the host; the only place the guest may write
  std::string cache;                          // mount points of the guest's own file systems
  std::string work;
  int hang_after_ms = 5000;

  nlohmann::json to_json() const;
  static Result<Job> from_json(const nlohmann::json& json);
};

// What became of one scenario.
struct JobAnswer {
  std::string error;  // not empty: the environment failed, there is no transcript
  player::Transcript transcript;
  bool last = false;  // the guest is not to be trusted any more and has ended

  nlohmann::json to_json() const;
  static Result<JobAnswer> from_json(const nlohmann::json& json);
};

std::string ready_path(const std::string& out);
std::string failed_path(const std::string& out);
std::string answer_path(const std::string& out, size_t scenario);

}  // namespace coldread::live
