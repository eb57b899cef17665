// One scenario under one profile on a real kernel, and if asked, next to the model.
#include "sim/cli/execute.h"

namespace coldread::cli {

void execute_on_kernel(const RunRequest&, const scenario::Scenario&, const Profile& profile,
                       const OnLine&, Outcome& outcome) {
  if (profile.kernel_series.empty()) {
    outcome.verdict = Verdict::skipped;
    outcome.agreement = Agreement::not_expressible;
    outcome.reason = "no real kernel can be built for this profile";
    return;
  }
  outcome.verdict = Verdict::environment;
  outcome.reason = "not there yet";
}

}  // namespace coldread::cli
