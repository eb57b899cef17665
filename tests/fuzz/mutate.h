// Programs changed by whole instructions, so that what stands behind the change keeps its meaning:
// bytes that are put in anywhere, as a fuzzer does by itself, make all instructions behind them
// others.
//
// The same arguments make the same program. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace coldread::fuzz {

// The program with one change, in at most `most` bytes.
std::vector<uint8_t> mutated(std::span<const uint8_t> program, size_t most, uint32_t seed);

// How one begins and how another goes on, in at most `most` bytes.
std::vector<uint8_t> crossed(std::span<const uint8_t> one, std::span<const uint8_t> other,
                             size_t most, uint32_t seed);

// How many bytes of a target's input come before its program: each target that is linked with
// mutator.cpp says so.
extern const size_t kBytesBeforeProgram;

}  // namespace coldread::fuzz
