// Upstream changes put into a profile or taken out of it: a kernel that never was, to see what a
// change does.
//
// Thread rules: plain data.
#pragma once

#include <string>
#include <vector>

#include "kernelmodel/profile.h"
#include "sim/result.h"

namespace coldread::sim {

struct Changes {
  std::vector<std::string> with;     // put in
  std::vector<std::string> without;  // taken out

  bool empty() const { return with.empty() && without.empty(); }
  bool operator==(const Changes&) const = default;
};

// The error names the change that does not exist, and all that do.
Status check_changes(const Changes& changes);

// Each must exist.
Profile changed(const Profile& profile, const Changes& changes);

// As on a command line, each word after a space: " --with a --without b".
std::string changes_text(const Changes& changes);

}  // namespace coldread::sim
