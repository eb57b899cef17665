// What real kernels answered to scenarios, kept as test data: the model is compared with it
// wherever no kernel can be asked.
//
// DIRECTORY/<profile>/<folder>.jsonl holds one line for each scenario of a folder, ordered by name:
//   {"digest": Scenario::digest, "scenario": "cold-read", "seen": [player::comparable()...]}
// More than one transcript was seen where the kernel itself may answer in several ways.
//
// Plain data; reading it from several threads is safe.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/result.h"

namespace coldread::recordings {

struct Recording {
  std::string digest;                // of the scenario that was played
  std::vector<nlohmann::json> seen;  // each once, ordered by their text

  void add(nlohmann::json transcript);
};

// "3-read/cold-read": a scenario's name among recordings, from the path of its file.
std::string scenario_name(const std::string& path);

class Recordings {
 public:
  // Everything below `directory`; one that does not exist has nothing recorded. An error names the
  // file, the line and what was expected.
  static Result<Recordings> load(const std::string& directory);

  const Recording* find(const std::string& profile, const std::string& name) const;  // null: none
  void put(const std::string& profile, const std::string& name, Recording recording);
  // Drops what was recorded of scenarios that are not among `names` any more.
  void keep_only(const std::vector<std::string>& names);
  // Writes every file whole or not at all, and removes those of which nothing is left.
  Status save() const;

 private:
  Status read_file(const std::string& path, const std::string& profile, const std::string& folder);

  std::string directory_;
  std::vector<std::string> files_;  // that were there when it was loaded
  std::map<std::string, std::map<std::string, Recording>> by_profile_;
};

}  // namespace coldread::recordings
