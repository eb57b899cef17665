// Any text as a scenario: the loader gives an error that names the file, or a scenario that can be
// played and judged. How the play ends is the scenario's own affair.
#include <string>
#include <string_view>

#include "sim/machine/run.h"
#include "sim/player/check.h"
#include "sim/scenario/loader.h"
#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

constexpr uint64_t kMaxSteps = 20'000;  // of the scheduler
constexpr uint64_t kMaxBlobBytes = uint64_t{4} << 20;
constexpr uint64_t kMaxCallBytes = uint64_t{4} << 20;
constexpr size_t kMaxScenarioSteps = 500;
constexpr const char* kName = "nowhere/fuzz.json";

// Calls may be of 16 MiB each: legal, but no use here.
bool is_small(const scenario::Scenario& scenario) {
  size_t steps = 0;
  uint64_t bytes = 0;
  for (const scenario::TaskSpec& task : scenario.tasks) {
    steps += task.steps.size();
    for (const scenario::Step& step : task.steps) bytes += std::min(step.length, kMaxCallBytes + 1);
  }
  return steps <= kMaxScenarioSteps && bytes <= kMaxCallBytes;
}

void play(const scenario::Scenario& scenario) {
  sim::RunOptions options;
  options.changed_profile = &profile();
  options.max_steps = kMaxSteps;
  const sim::RunResult result = sim::run(scenario, options);
  for (const player::Mismatch& mismatch :
       player::verify(scenario, std::string(profile().name), result.transcript)) {
    if (mismatch.pointer.empty() || mismatch.pointer.front() != '/')
      found("a mismatch without a JSON pointer: " + mismatch.pointer);
  }
}

}  // namespace
}  // namespace coldread::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace coldread;
  scenario::LoadOptions options;
  options.max_blob_bytes = fuzz::kMaxBlobBytes;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<scenario::Scenario> scenario = scenario::load_text(fuzz::kName, text, options);
  if (!scenario) {
    if (!scenario.error().starts_with(std::string(fuzz::kName) + ": "))
      fuzz::found("an error that does not name the file: " + scenario.error());
    return 0;
  }
  if (scenario->unavailable.empty() && fuzz::is_small(*scenario)) fuzz::play(*scenario);
  return 0;
}
