#include "sim/cli/kernels.h"

namespace coldread::cli {

live::KernelLookup Kernels::find(const Profile& profile) {
  const std::lock_guard guard(lock_);
  const std::string name(profile.name);
  const auto known = found_.find(name);
  if (known != found_.end()) return known->second;
  return found_[name] = live::find_kernel(name);
}

}  // namespace coldread::cli
