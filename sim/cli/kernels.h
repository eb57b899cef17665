// The real kernels of one command: each looked for once, guests kept from scenario to scenario.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "kernelmodel/profile.h"
#include "sim/live/guest.h"

namespace coldread::cli {

// Thread rules: any number of calls at once. Guests end with this object.
class Kernels {
 public:
  // The kernel of a profile, built if need be. Others wait meanwhile: they would need the CPUs too.
  live::KernelLookup find(const Profile& profile);

  live::GuestPool& guests() { return guests_; }

 private:
  std::mutex lock_;
  std::map<std::string, live::KernelLookup> found_;  // by profile
  live::GuestPool guests_;
};

}  // namespace coldread::cli
