// Memory that runs out in a real kernel: its own fault injection, CONFIG_FAILSLAB.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernelmodel/kernel/memory.h"

namespace coldread::live {

// A guest's boot parameter: failslab's cache filter is for the nodes of XArrays.
inline constexpr const char* kNodesMayFail = "slub_debug=A,radix_tree_node";

// Addresses [start, end) of a function.
struct CodeRange {
  uint64_t start = 0;
  uint64_t end = UINT64_MAX;
};

// Up to the next symbol; none: there is no such function. `kallsyms` is /proc/kallsyms, whose lines
// are in no order.
std::optional<CodeRange> find_function(const std::string& kallsyms, const std::string& name);

// The next allocation of this kind, whoever makes it, fails once; what was asked for before is
// forgotten. none: nothing fails. 0 or a negative errno; -ENOENT: the kernel was built without, or
// has no such function. Wants debugfs at /sys/kernel/debug, and kNodesMayFail. Thread rules: one
// call at a time.
int64_t fail_next(Allocation what);

}  // namespace coldread::live
