// The real kernels of one command: each looked for once, guests kept from scenario to scenario.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "kernelmodel/profile.h"
#include "sim/live/guest.h"

namespace coldread::cli {

// Thread rules: any number of calls at once. Guests end with this object.
class Kernels {
 public:
  // The kernel of a profile that the scenario is for, built if need be; others wait meanwhile: they
  // would need the CPUs too. One with CONFIG_SECURITY only if it is built: one scenario wants it.
  live::KernelLookup find(const Profile& profile, const scenario::Scenario& scenario);

  live::GuestPool& guests() { return guests_; }

 private:
  std::mutex lock_;
  std::map<std::pair<std::string, bool>, live::KernelLookup> found_;  // by profile and `security`
  live::GuestPool guests_;
};

}  // namespace coldread::cli
