// How a server is while others do their worst: it serves those who behave, and does not grow.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "tests/fuse/faults/place.h"
#include "tests/fuse/faults/process_state.h"

namespace coldread::faults {

class Wellbeing : public Place {
 protected:
  // An object that nobody has read yet, of the volume "good".
  std::string fresh_object();
  // Reads `count` fresh objects, all that the mount tells about itself, and expects them to be as
  // ever.
  void expect_good_service(int count);
  // Runs `deed` again and again in so many children, while others are served; then they are killed.
  void during(int children, const std::function<void()>& deed);
  // Nothing crashed, nothing was kept: memory and descriptors are as before, but for what a busy
  // server keeps for the next time.
  void expect_unharmed(const ProcessState& before);

  // 0, or an errno; waits until nobody uses it.
  int remove_volume(const std::string& name) const;

 private:
  int fresh_ = 0;
};

// As fork(), but the child ends with its parent.
pid_t fork_mortal();

// In a child: opens and reads it again and again, whatever comes of it.
[[noreturn]] void read_for_ever(const std::string& path);

}  // namespace coldread::faults
