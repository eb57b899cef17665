// What `coldread run --on fuse` starts under the supervisor: plays one scenario against a mount.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sim/live/job.h"
#include "sim/result.h"

namespace coldread::live {

// Its first and only argument is a file with this.
struct PlaySetup {
  GuestTask task;
  std::string mount;   // where the model is
  std::string cache;   // an empty directory
  std::string work;    // for the player's own files
  std::string answer;  // where to write a GuestAnswer

  nlohmann::json to_json() const;
  static Result<PlaySetup> from_json(const nlohmann::json& object);
};

// Plays it, with the parent process as the model's server. 0, 1 (failed, said on stderr).
int run_play(const std::string& setup_path);

}  // namespace coldread::live
