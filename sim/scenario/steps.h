// Steps of a scenario, from JSON to struct Step, one verb at a time.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/node.h"
#include "sim/scenario/scenario.h"

namespace coldread::scenario {

// The names that steps may use. Everything but the steps themselves has been read when these are.
struct Names {
  const Scenario* scenario = nullptr;
  std::vector<std::string> blobs, volumes, cookies, cookie_keys, tasks;
  std::vector<std::string> barriers, children, operations;  // grow as steps name them

  explicit Names(const Scenario& loaded);
};

// One step; several where the verb stands for a sequence ("bind", "connect", "disconnect").
// `setup`: the step stands in "setup" and has a "task", which the caller reads.
std::vector<Step> read_step(const Node& node, bool setup, Names& names);

// All verbs a file may use, those that stand for several included.
const std::vector<std::string>& verb_words();

}  // namespace coldread::scenario
