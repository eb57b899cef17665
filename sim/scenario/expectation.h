// Whether an expectation is one: known words, members that the verb can answer, every kernel
// covered.
//
// Scenarios keep expectations as JSON; sim/player/check.h judges by them and relies on this check.
#pragma once

#include "sim/scenario/node.h"
#include "sim/scenario/steps.h"

namespace coldread::scenario {

void check_step_expectation(const Node& node, Verb verb, const Names& names);

// The scenario's own "expect".
void check_final_expectation(const Node& node, const Names& names);

// If `json` is {"by_kernel": {...}}, the part for `kernel` ("*" where it is not named) and in
// `pointer`, which is extended, where it stands; `json` itself otherwise.
const nlohmann::json& select_kernel(const nlohmann::json& json, const std::string& kernel,
                                    std::string& pointer);

}  // namespace coldread::scenario
