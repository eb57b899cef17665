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
  // would need the CPUs too. One with CONFIG_SECURITY, or `without` a change, only if it is built:
  // hardly anybody wants it.
  live::KernelLookup find(const Profile& profile, const scenario::Scenario& scenario,
                          const std::string& without = {});

  live::GuestPool& guests() { return guests_; }

 private:
  std::mutex lock_;
  std::map<std::pair<std::string, live::KernelVariant>, live::KernelLookup> found_;  // by profile
  live::GuestPool guests_;
};

}  // namespace coldread::cli
