// A call on its way to a helper thread and back, as the fiber sees it that waits for it.
//
// Lies on that fiber's stack. Thread rules: the host's thread, but for function and argument.
#pragma once

#include <cstdint>

#include "kernelmodel/ports/scheduler.h"

namespace coldread::fuse {

struct Errand {
  void (*function)(void*) = nullptr;
  void* argument = nullptr;
  Task* task = nullptr;  // who waits
  bool done = false;     // the host's thread sets it
  uint64_t number = 0;   // on a tape
};

inline constexpr WaitReason kWaitsForHelper{.kind = "helper", .name = "a call that may block"};

}  // namespace coldread::fuse
