// The readers of the soak: processes that read at random, check every byte, and can be killed at
// any moment; what they share with the process that does all this to them.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

namespace coldread::faults {

inline constexpr int kVolumes = 4;
inline constexpr int kObjects = 12;  // of a volume
inline constexpr int kMostReaders = 256;

// In shared memory.
struct SoakState {
  // Odd while something is being done that may fail a read: its errors are explained, as are those
  // of reads during which it began or ended. All others are findings.
  std::atomic<uint64_t> disturbances{0};
  std::atomic<bool> rest{false};        // readers close their files and wait
  std::atomic<uint64_t> generation{0};  // part of every key
  std::atomic<bool> failed{false};
  char finding[512] = {};  // the first

  struct Reader {
    std::atomic<bool> rests{false};
    std::atomic<uint64_t> reads{0}, bytes{0};
    std::atomic<uint64_t> explained{0};
    std::atomic<int64_t> since{0};  // when it began what it is doing, in seconds of a steady clock
  };
  std::array<Reader, kMostReaders> readers;

  void fail(const std::string& text);
};

int64_t steady_seconds();
std::string soak_key(uint64_t generation, int volume, int object);

// Never returns.
[[noreturn]] void soak_read(SoakState& state, int reader, const std::string& volumes,
                            uint32_t seed);

}  // namespace coldread::faults
