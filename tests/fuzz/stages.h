// The scenarios whose setups are the Stages of hostile plays, with five tasks that do nothing more:
// the daemon's two threads and three readers.
#pragma once

#include "sim/scenario/scenario.h"
#include "tests/fuzz/program.h"

namespace coldread::fuzz {

scenario::Scenario stage_scenario(Stage stage);

}  // namespace coldread::fuzz
