// A 64-bit number for what came out of a run, quick to make: equal for equal input, on every
// machine and in every run. Not for adversaries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace coldread {

class OutcomeHash {
 public:
  void add(uint64_t value) { state_ = mix(state_ ^ value); }

  void add(std::span<const std::byte> bytes) {
    // Four lanes, as multiplications take their time.
    uint64_t lanes[4] = {state_, 1, 2, 3};
    size_t at = 0;
    for (; at + 32 <= bytes.size(); at += 32)
      for (size_t i = 0; i < 4; i++) lanes[i] = mix(lanes[i] ^ load(bytes.subspan(at + 8 * i, 8)));
    for (; at < bytes.size(); at += 8)
      lanes[0] =
          mix(lanes[0] ^ load(bytes.subspan(at, bytes.size() - at < 8 ? bytes.size() - at : 8)));
    for (const uint64_t lane : lanes) add(lane);
    add(uint64_t{bytes.size()});
  }
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }

  uint64_t value() const { return state_; }

 private:
  static constexpr uint64_t mix(uint64_t value) {
    value *= 0x9e3779b97f4a7c15;
    return value ^ (value >> 29);
  }
  static uint64_t load(std::span<const std::byte> bytes) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data(), bytes.size());
    return value;
  }

  uint64_t state_ = 0x243f6a8885a308d3;
};

}  // namespace coldread
