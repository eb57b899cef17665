// Makes a finding small: fewest tasks, steps and context switches.
//
// What is left out is tried one after the other; each candidate must load, and must come to the
// same report (report_signature()) under some schedule: the one at hand, or one that a short search
// finds. Nothing is believed that was not played.
//
// Thread rules: one thread; the same finding gives the same result.
#pragma once

#include <atomic>
#include <functional>

#include "kernelmodel/profile.h"
#include "sim/explore/finding_file.h"
#include "sim/scenario/loader.h"

namespace coldread::sim {

struct ShrinkOptions {
  Profile profile;
  scenario::LoadOptions load;
  uint64_t schedules = 1'000;  // tried for each candidate
  // Called for each candidate that was taken.
  std::function<void(const FindingFile& smaller)> on_progress;
  const std::atomic<bool>* stop = nullptr;  // once it is set, what there is is the result
};

struct FindingSize {
  size_t tasks = 0;
  size_t steps = 0;  // with those of the setup
  size_t switches = 0;
};
FindingSize size_of(const FindingFile& finding);

// The smallest found. An error: the scenario does not load, or its schedule does not lead to its
// report.
Result<FindingFile> shrink(const FindingFile& finding, const ShrinkOptions& options);

}  // namespace coldread::sim
