// About how many different numbers were seen, in a fixed 16 KiB: HyperLogLog (Flajolet and others,
// 2007). Within 1 % (one standard deviation), exact to a few for small counts. Takes hashes, not
// plain numbers.
//
// What was counted apart can be added up: merge() is as if both had seen everything.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace coldread::sim {

class DistinctCount {
 public:
  void add(uint64_t hash) {
    const auto rank = static_cast<uint8_t>(std::countl_zero(hash << kBits | 1u << (kBits - 1)) + 1);
    uint8_t& most = ranks_[hash >> (64 - kBits)];
    if (rank > most) [[unlikely]]
      most = rank;
  }

  void merge(const DistinctCount& other) {
    for (size_t i = 0; i < ranks_.size(); i++) ranks_[i] = std::max(ranks_[i], other.ranks_[i]);
  }

  // All that is known, as one printable character for each rank.
  std::string text() const {
    std::string result;
    for (const uint8_t rank : ranks_) result += static_cast<char>(kZero + rank);
    return result;
  }
  // The inverse; false: it is none.
  bool restore(std::string_view text) {
    const auto is_rank = [](char c) { return c >= kZero && c <= kZero + (64 - int{kBits}) + 1; };
    if (text.size() != ranks_.size() || !std::all_of(text.begin(), text.end(), is_rank))
      return false;
    for (size_t i = 0; i < ranks_.size(); i++) ranks_[i] = static_cast<uint8_t>(text[i] - kZero);
    return true;
  }

  uint64_t estimate() const {
    double sum = 0;
    size_t empty = 0;
    for (const uint8_t rank : ranks_) {
      sum += std::ldexp(1.0, -rank);
      empty += rank == 0 ? 1 : 0;
    }
    constexpr auto kCount = static_cast<double>(size_t{1} << kBits);
    const double raw = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
    if (raw > 2.5 * kCount || empty == 0) return static_cast<uint64_t>(std::llround(raw));
    return static_cast<uint64_t>(
        std::llround(kCount * std::log(kCount / static_cast<double>(empty))));
  }

 private:
  static constexpr unsigned kBits = 14;
  static constexpr char kZero = '0';
  std::array<uint8_t, size_t{1} << kBits> ranks_{};
};

}  // namespace coldread::sim
