// Scenarios on a real kernel, seen from the host: boots guests, hands out scenarios, collects
// transcripts.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "sim/live/kernel_image.h"
#include "sim/player/transcript.h"
#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

struct GuestOptions {
  int hang_after_ms = 5000;    // no task of the scenario gets on for so long: a hang
  int boot_limit_ms = 60'000;  // a machine that is not ready by then never will be
  int scenario_limit_ms = 300'000;
  unsigned memory_mb = 768;
  std::string program;  // run as PROGRAM guest JOB in the guest; empty: this very program
  std::vector<std::string> blob_directories;  // as scenario::LoadOptions has them
  const std::atomic<bool>* stop = nullptr;    // set: ends guests at once; what is left is an error
  // Receives each result as soon as it is there, in order, on the calling thread.
  std::function<void(size_t index, const Result<player::Transcript>& result)> on_result;
};

// Plays the scenarios (at `path` each) one after the other on `image`: as many results, in order.
// An error means that the environment failed, not the scenario: the guest did not boot, the module
// did not load, the kernel oopsed, the guest went away or did not answer. After such a scenario,
// and after a hang, the rest goes into a fresh guest; if a guest does not get as far as its first
// scenario, all that is left fails with it. Thread rules: any number of calls at once, each has its
// own guests. No process and no file is left behind, whatever becomes of this process.
std::vector<Result<player::Transcript>> run_on_kernel(
    const KernelImage& image, const std::vector<const scenario::Scenario*>& scenarios,
    const GuestOptions& options);

}  // namespace coldread::live
