// The descriptor numbers that the supervisor gives to open devices, and at which it looks.
//
// A seccomp filter sees numbers, not files: a read() can only be recognized as one of the device by
// the number of its descriptor. So the device is opened at numbers that ordinary files do not get,
// and only calls on those are looked at. Or all are: then the device gets the number it would get
// from a kernel, and every open and read of the program pays for it.
#pragma once

#include <sys/resource.h>

namespace coldread::fuse {

// The numbers first .. first + kCount - 1.
struct WatchedRange {
  // A power of two that divides `first`: the filter compares under a mask.
  static constexpr int kCount = 32;
  int first = 0;
  bool all = false;  // every number

  // No file is given the last one: a read of it stands for one at a number that is not watched
  // (redirect.h).
  int stand_in() const { return first + kCount - 1; }
  bool contains(int fd) const { return all || (fd >= first && fd < first + kCount); }
};

inline constexpr WatchedRange kWatchAll{0, true};

// The highest range below `limit` (RLIMIT_NOFILE, soft) and below 1024, where select() ends. Never
// below 32, the numbers that programs count on; with a limit under 64 nothing can be opened in it.
constexpr WatchedRange watched_range(rlim_t limit) {
  const auto end = static_cast<int>(limit < 1024 ? limit : 1024);
  const int first = end / WatchedRange::kCount * WatchedRange::kCount - WatchedRange::kCount;
  return {first < WatchedRange::kCount ? WatchedRange::kCount : first, false};
}

}  // namespace coldread::fuse
