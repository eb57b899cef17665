#include "tests/fuse/faults/soak_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <vector>

#include "tests/fuse/faults/pattern.h"

namespace coldread::faults {

void SoakState::fail(const std::string& text) {
  if (failed.exchange(true)) return;
  text.copy(finding, sizeof(finding) - 1);
}

int64_t steady_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// From a few bytes to some hundred kilobytes.
std::string soak_key(uint64_t generation, int volume, int object) {
  const uint64_t size =
      1 + (static_cast<uint64_t>(object) * 37'003 + static_cast<uint64_t>(volume)) % 400'000;
  return fmt::format("g{}.{}-{}", generation, object, size);
}

namespace {

class Reader {
 public:
  Reader(SoakState& state, int number, std::string volumes, uint32_t seed)
      : state_(state),
        own_(state.readers[static_cast<size_t>(number)]),
        volumes_(std::move(volumes)),
        random_(seed) {}

  [[noreturn]] void run() {
    while (true) {
      if (state_.rest) {
        own_.rests = true;
        usleep(2000);
        continue;
      }
      own_.rests = false;
      // Who rests is not counted on any more, so this is looked at again.
      if (state_.rest) continue;
      own_.since = steady_seconds();
      read_an_object();
      own_.since = 0;
    }
  }

 private:
  size_t below(size_t limit) { return random_() % limit; }

  void read_an_object() {
    before_ = state_.disturbances;
    const int volume = static_cast<int>(below(kVolumes));
    key_ = soak_key(state_.generation, volume, static_cast<int>(below(kObjects)));
    const std::string path = fmt::format("{}/v{}/{}", volumes_, volume, key_);
    const int flags = below(8) == 0 ? O_DIRECT : 0;
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) return explain("open", errno);
    if (below(2) == 0) posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    if (below(4) == 0) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    const Pattern pattern(key_);
    for (size_t i = below(6) + 1; i > 0 && read_a_range(fd, pattern); i--) {
    }
    close(fd);
  }

  bool read_a_range(int fd, const Pattern& pattern) {
    const uint64_t offset = below(pattern.size() / kBlock + 1) * kBlock;
    const size_t length = (1 + below(16)) * kBlock;
    room_.resize(length + kBlock);
    std::byte* const aligned =
        room_.data() + (kBlock - reinterpret_cast<uintptr_t>(room_.data()) % kBlock) % kBlock;
    const ssize_t got = pread(fd, aligned, length, static_cast<off_t>(offset));
    if (got < 0) {
      explain("read", errno);
      return false;
    }
    const uint64_t expected =
        std::min<uint64_t>(length, pattern.size() - std::min(offset, pattern.size()));
    const auto wrong = pattern.first_wrong({aligned, static_cast<size_t>(got)}, offset);
    if (wrong) state_.fail(fmt::format("{}: a byte that nobody wrote at {}", key_, *wrong));
    // Fewer than there are: an error came behind them.
    if (static_cast<uint64_t>(got) != expected) {
      explain(fmt::format("read {} of {} bytes at {}", got, expected, offset), 0);
      return false;
    }
    own_.reads++;
    own_.bytes += static_cast<uint64_t>(got);
    return true;
  }

  void explain(const std::string& what, int error) {
    if (before_ % 2 == 0 && state_.disturbances == before_)
      state_.fail(
          fmt::format("{}: {}: {}, and nothing explains it", key_, what, std::strerror(error)));
    own_.explained++;
    usleep(1000);
  }

  SoakState& state_;
  SoakState::Reader& own_;
  const std::string volumes_;
  std::mt19937 random_;
  uint64_t before_ = 0;
  std::string key_;
  std::vector<std::byte> room_;
};

}  // namespace

void soak_read(SoakState& state, int reader, const std::string& volumes, uint32_t seed) {
  Reader(state, reader, volumes, seed).run();
}

}  // namespace coldread::faults
