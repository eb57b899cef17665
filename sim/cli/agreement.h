// Does the model answer as a real kernel did? Asked of a kernel that just ran and of recordings.
//
// Real kernels do not say which interleaving they took. Agreement therefore means: for each
// transcript seen, the model has an interleaving with the very same one.
#pragma once

#include <string>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/cli/outcome.h"
#include "sim/machine/run.h"
#include "sim/scenario/scenario.h"

namespace coldread::cli {

// Why no real kernel can play this; empty: it can. `model` is the model's own transcript.
std::string why_not_expressible(const scenario::Scenario& scenario, const Profile& profile,
                                const player::Transcript& model);

// The same for the model behind a mount, whose cache lies on this machine's own disk. A derived
// profile is not mounted unless it was `asked_for` by name.
std::string why_not_mounted(const scenario::Scenario& scenario, const Profile& profile,
                            const player::Transcript& model, bool asked_for);

// Compares transcripts of a real kernel, each in canonical form, with `model`, the transcript of
// the run with `options`, and where that is not it with other interleavings. Sets
// outcome.agreement, .differences and .reason; what passed so far and differs has failed.
void compare_with_model(const scenario::Scenario& scenario, const sim::RunOptions& options,
                        const player::Transcript& model, const std::vector<nlohmann::json>& seen,
                        Outcome& outcome);

// Whether the model's answers depend on the interleaving: a race, which a kernel is to be asked
// about more than once.
bool is_race(const scenario::Scenario& scenario, const std::string& profile);

}  // namespace coldread::cli
