// One scenario against the model behind a mount: `coldread exec` with a player as its command.
//
// The player's processes are real, and so are their system calls; they reach the model through FUSE
// and the supervisor, as any daemon's do. Whatever becomes of this process, the server ends with
// its player, and nothing stays mounted but what a kill -9 of the server leaves.
#pragma once

#include <string>

#include "sim/live/guest.h"
#include "sim/player/transcript.h"
#include "sim/result.h"
#include "sim/scenario/scenario.h"

namespace coldread::live {

// Plays the scenario, at its `path`, on `profile`. One that has not ended when the options'
// scenario limit is over is killed: a report of a hang, and no records. An error means that the
// environment failed, not the scenario. The directory for temporary files must take extended
// attributes ("user."). Any number at once.
Result<player::Transcript> play_mounted(const scenario::Scenario& scenario,
                                        const std::string& profile, const GuestOptions& options);

// The program that options name, or this one.
std::string program_of(const GuestOptions& options);

}  // namespace coldread::live
