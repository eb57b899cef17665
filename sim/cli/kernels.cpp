#include "sim/cli/kernels.h"

namespace coldread::cli {

live::KernelLookup Kernels::find(const Profile& profile, const scenario::Scenario& scenario) {
  const std::lock_guard guard(lock_);
  const std::pair kind(std::string(profile.name), scenario.security);
  const auto known = found_.find(kind);
  if (known != found_.end()) return known->second;
  return found_[kind] =
             live::find_kernel(kind.first, /*cached_only=*/scenario.security, scenario.security);
}

}  // namespace coldread::cli
