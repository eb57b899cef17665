// The port through which the model's kernel log leaves: printk lines, and WARN_ON's findings, after
// which a kernel goes on.
#pragma once

#include <cstdint>
#include <string_view>

#include "kernelmodel/kernel/report.h"

namespace coldread {

class Log {
 public:
  enum class Level : uint8_t { none, error, notice };

  // Whether anybody wants such lines; others are not even formatted.
  bool takes(Level level) const { return level <= level_; }

  // One line of the kernel log, without its prefix ("CacheFiles: ") and newline. Copied.
  virtual void printk(std::string_view line) = 0;

  // The same for a line that tells of nothing wrong, KERN_NOTICE or KERN_INFO: Level::notice.
  virtual void notice(std::string_view) {}

  // Something is wrong, but the kernel carries on: WARN_ON, or a self-check of the model's that
  // does not corrupt anything. Copied.
  virtual void note(ReportKind kind, std::string_view text) = 0;

 protected:
  Log() = default;
  ~Log() = default;
  Level level_ = Level::error;
};

}  // namespace coldread
