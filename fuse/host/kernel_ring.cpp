#include "fuse/host/kernel_ring.h"

#include <fmt/core.h>

#include <algorithm>

namespace coldread::fuse {

void KernelRing::add(int level, TimeNs since_boot, std::string_view text) {
  const std::lock_guard lock(lock_);
  records_.push_back({level, since_boot, std::string(text)});
  if (records_.size() <= kRecords) return;
  records_.pop_front();
  first_++;
}

void KernelRing::clear() {
  const std::lock_guard lock(lock_);
  cleared_ = first_ + records_.size();
}

std::optional<std::string> KernelRing::record(uint64_t* sequence) const {
  const std::lock_guard lock(lock_);
  *sequence = std::max(*sequence, first_);
  if (*sequence >= first_ + records_.size()) return {};
  const Record& found = records_[*sequence - first_];
  return fmt::format("{},{},{},-;{}\n", found.level, *sequence, found.time / 1000, found.text);
}

uint64_t KernelRing::cleared() const {
  const std::lock_guard lock(lock_);
  return cleared_;
}

uint64_t KernelRing::end() const {
  const std::lock_guard lock(lock_);
  return first_ + records_.size();
}

std::string KernelRing::text(size_t size) const {
  const std::lock_guard lock(lock_);
  std::string lines;
  for (size_t i = records_.size(); i > 0 && first_ + i > cleared_; --i) {
    const Record& each = records_[i - 1];
    std::string line = fmt::format("<{}>[{:5}.{:06}] {}\n", each.level, each.time / 1'000'000'000,
                                   each.time / 1000 % 1'000'000, each.text);
    if (lines.size() + line.size() > size) break;
    lines.insert(0, line);
  }
  return lines;
}

}  // namespace coldread::fuse
