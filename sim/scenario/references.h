// What can only be judged when all steps are known: names that steps give to files and messages,
// and whether every barrier can be met.
#pragma once

#include "sim/scenario/steps.h"

namespace coldread::scenario {

// Every fd and message a step uses must be brought by a step of the same process. Throws BadInput.
void check_names(const Scenario& scenario);

// Fills Scenario::operations. An operation must be begun by some step, of whatever task.
void resolve_operations(Scenario& scenario, const Names& names);

// Fills Scenario::barriers. A barrier is met by all tasks that name it, each once, and no two tasks
// may meet two barriers in different orders.
void resolve_barriers(Scenario& scenario, const Names& names);

// Fills Scenario::children. Every child is forked by exactly one step.
void resolve_children(Scenario& scenario, const Names& names);

// Calls use(name, field) for every "{name.field}" in the text of a command or path, and replaces
// each placeholder by what it returns; "{CACHE}" comes as ("", "CACHE"). Returns nothing if `text`
// has a brace that belongs to no placeholder.
std::optional<std::string> expand_placeholders(
    std::string_view text,
    const std::function<std::string(std::string_view name, std::string_view field)>& use);

// The fields of messages that commands may use: "id", "object", "fd", "off", "length".
const std::vector<std::string>& placeholder_fields();

}  // namespace coldread::scenario
