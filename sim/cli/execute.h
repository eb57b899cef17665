// One scenario file: loaded once, run under each profile asked for, judged.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "kernelmodel/profile.h"
#include "sim/cli/kernels.h"
#include "sim/cli/outcome.h"
#include "sim/cli/run_request.h"
#include "sim/recordings/recordings.h"
#include "sim/scenario/loader.h"
#include "sim/scenario/scenario.h"

namespace coldread::cli {

// Receives lines of -v while a run goes on.
using OnLine = std::function<void(std::string_view line)>;
// Receives each outcome as soon as it is there.
using OnOutcome = std::function<void(Outcome outcome)>;

// What all executions of one command share, on however many threads.
struct RunContext {
  const RunRequest& request;
  const std::atomic<bool>& stop;    // set: no further profile begins
  recordings::Recordings recorded;  // --recorded
  Kernels kernels;
};

// One outcome for each profile; exactly one if the file cannot be loaded or nothing of it applies.
// Never throws for bad input. Thread rules: any number at once; the callbacks are called on this
// thread. `on_line` may be null.
void execute(RunContext& context, const std::string& path, const OnLine& on_line,
             const OnOutcome& on_outcome);

// How scenarios are loaded by every command.
scenario::LoadOptions load_options();

// The parts, each filling `outcome` for one profile.
void execute_on_sim(const RunContext& context, const scenario::Scenario& scenario,
                    const Profile& profile, const OnLine& on_line, Outcome& outcome);
void execute_on_kernel(RunContext& context, const scenario::Scenario& scenario,
                       const Profile& profile, const OnLine& on_line, Outcome& outcome);
void execute_on_fuse(RunContext& context, const scenario::Scenario& scenario,
                     const Profile& profile, const OnLine& on_line, Outcome& outcome);

// The verdict on a transcript: which expectations it does not meet, and how bad that is.
void judge(const scenario::Scenario& scenario, const Profile& profile,
           const player::Transcript& transcript, Outcome& outcome);

}  // namespace coldread::cli
