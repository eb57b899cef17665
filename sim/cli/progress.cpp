// Rewrites one terminal line in place.
#include "sim/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

namespace coldread::cli {

Progress::Progress(size_t total) : total_(total), shown_(isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  clear();
}

void Progress::show(size_t done, const std::string& what) {
  if (!shown_) return;
  const std::string total = total_ != 0 ? fmt::format("/{}", total_) : "";
  fmt::print(stderr, "\r\033[K[{}{}] {:.60}", done, total, what);
}

void Progress::clear() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

}  // namespace coldread::cli
