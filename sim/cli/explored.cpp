#include "sim/cli/explored.h"

#include <fmt/core.h>

#include "sim/cli/exit_code.h"

namespace coldread::cli {

Status merge_explored(Explored& into, Explored part) {
  if (!(into.exploration == part.exploration))
    return Error{part.exploration.path + ": parts of different explorations"};
  for (const uint64_t shard : part.done)
    if (!into.done.insert(shard).second)
      return Error{fmt::format("{}: shard {} is there twice", part.exploration.path, shard)};
  sim::merge_results(into.result, std::move(part.result));
  into.columns.clear();
  return Nothing{};
}

int exit_code_of(const Explored& explored) {
  int exit_code = explored.result.interrupted ? kInterrupted : kPassed;
  for (const sim::Finding& finding : explored.result.findings) {
    if (finding.expected) continue;
    if (finding.kind != "hang") return kBrokenInvariant;
    exit_code = kHang;
  }
  return exit_code;
}

}  // namespace coldread::cli
