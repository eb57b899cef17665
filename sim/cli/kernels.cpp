#include "sim/cli/kernels.h"

namespace coldread::cli {

live::KernelLookup Kernels::find(const Profile& profile, const scenario::Scenario& scenario,
                                 const std::string& without) {
  const std::lock_guard guard(lock_);
  const live::KernelVariant variant{.security = scenario.security, .without = without};
  const std::pair kind(std::string(profile.name), variant);
  const auto known = found_.find(kind);
  if (known != found_.end()) return known->second;
  return found_[kind] = live::find_kernel(
             kind.first, /*cached_only=*/variant != live::KernelVariant{}, variant);
}

}  // namespace coldread::cli
