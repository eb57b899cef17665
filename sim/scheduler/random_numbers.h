// Random numbers that are the same from a seed everywhere.
//
// SplitMix64 (Steele, Lea and Flood, 2014). Not the standard library's: its distributions differ
// from one library to the next, and a seed must mean the same run everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace coldread::sim {

class RandomNumbers {
 public:
  explicit RandomNumbers(uint64_t seed) : state_(seed) {}

  // 0 .. bound-1; `bound` is below 2^32.
  size_t below(size_t bound) {
    return static_cast<size_t>(((next() >> 32) * static_cast<uint64_t>(bound)) >> 32);
  }

  uint64_t next() {
    uint64_t word = state_ += 0x9e3779b97f4a7c15;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace coldread::sim
