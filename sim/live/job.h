// What host and guest say to each other: files in one directory, each whole as soon as it is there.
//
// Before it boots, the host writes the machine's setup. The guest then writes "ready" into `out`,
// or "failed" with a sentence. For scenario N the host writes "N.task", the guest answers with
// "N.answer".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/player/transcript.h"
#include "sim/result.h"

namespace coldread::live {

// The guest's first and only argument is a file with this.
struct GuestSetup {
  std::string module;  // coldread_netfs.ko
  std::string out;     // on the host; the only place the guest may write to
  std::string cache;   // mount points of the guest's own file systems
  std::string work;

  nlohmann::json to_json() const;
  static Result<GuestSetup> from_json(const nlohmann::json& object);
};

// One scenario to play.
struct GuestTask {
  std::string path;                           // absolute
  std::vector<std::string> blob_directories;  // absolute
  int hang_after_ms = 5000;

  nlohmann::json to_json() const;
  static Result<GuestTask> from_json(const nlohmann::json& object);
};

// What became of it.
struct GuestAnswer {
  std::string error;  // not empty: the environment failed, there is no transcript
  player::Transcript transcript;
  bool last = false;  // the guest is not to be trusted any more and plays nothing else

  nlohmann::json to_json() const;
  static Result<GuestAnswer> from_json(const nlohmann::json& object);
};

std::string ready_path(const std::string& out);
std::string failed_path(const std::string& out);
std::string task_path(const std::string& out, size_t scenario);
std::string answer_path(const std::string& out, size_t scenario);

// Writes a file so that it is on the disk before it can be seen under its name.
Status publish(const std::string& path, const std::string& text);

}  // namespace coldread::live
