// What the objects of these tests hold: bytes that follow from the key and the offset, none of
// which is zero, so that every byte tells whether a daemon wrote it, and wrote it there.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace coldread::faults {

inline constexpr uint64_t kBlock = 4096;

// A key ends in its size: "a-11808".
inline uint64_t size_of(std::string_view key) {
  uint64_t size = 0;
  const std::string_view digits = key.substr(key.rfind('-') + 1);
  std::from_chars(digits.data(), digits.data() + digits.size(), size);
  return size;
}

class Pattern {
 public:
  explicit Pattern(std::string_view key) : size_(size_of(key)) {
    for (const char byte : key) seed_ = (seed_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }

  uint64_t size() const { return size_; }  // bytes; zeros follow

  void fill(std::span<std::byte> out, uint64_t offset) const {
    for (size_t done = 0; done < out.size();) {
      const uint64_t at = offset + done;
      const uint64_t word = word_at(at / 8);
      const size_t skip = at % 8;
      const size_t length = std::min<size_t>(8 - skip, out.size() - done);
      std::memcpy(out.data() + done, reinterpret_cast<const std::byte*>(&word) + skip, length);
      done += length;
    }
    const uint64_t rest = offset < size_ ? size_ - offset : 0;
    if (rest < out.size())
      std::fill(out.begin() + static_cast<ptrdiff_t>(rest), out.end(), std::byte{0});
  }

  // The offset of the first byte that is not the pattern's.
  std::optional<uint64_t> first_wrong(std::span<const std::byte> found, uint64_t offset) const {
    std::byte expected[kBlock];
    for (size_t done = 0; done < found.size();) {
      const size_t length = std::min(sizeof(expected), found.size() - done);
      fill(std::span(expected, length), offset + done);
      const auto* const wrong =
          std::mismatch(expected, expected + length, found.data() + done).first;
      if (wrong != expected + length) return offset + done + static_cast<size_t>(wrong - expected);
      done += length;
    }
    return {};
  }

 private:
  // splitmix64; odd bytes are not zero.
  uint64_t word_at(uint64_t index) const {
    uint64_t word = seed_ + index * 0x9e3779b97f4a7c15;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return (word ^ word >> 31) | 0x0101010101010101;
  }

  uint64_t seed_ = 0xcbf29ce484222325;
  uint64_t size_;
};

}  // namespace coldread::faults
