#include "sim/live/kernel_log.h"

#include <sys/klog.h>

#include <initializer_list>

namespace coldread::live {
namespace {

// syslog(2)'s actions; glibc gives them no names.
constexpr int kReadAndClear = 4;
constexpr int kSizeOfBuffer = 10;

bool contains_any(std::string_view line, std::initializer_list<const char*> words) {
  for (const char* word : words) {
    if (line.find(word) != std::string_view::npos) return true;
  }
  return false;
}

std::string_view without_prefix(std::string_view line) {
  if (!line.empty() && line.front() == '<') {
    const size_t end = line.find('>');
    if (end != std::string_view::npos) line.remove_prefix(end + 1);
  }
  if (!line.empty() && line.front() == '[') {
    const size_t end = line.find("] ");
    if (end != std::string_view::npos) line.remove_prefix(end + 2);
  }
  return line;
}

}  // namespace

LogFindings scan_kernel_log(std::string_view log) {
  LogFindings findings;
  while (!log.empty()) {
    const size_t end = log.find('\n');
    const std::string_view line = without_prefix(log.substr(0, end));
    log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    if (contains_any(line, {"BUG:", "kernel BUG at", "Oops", "KASAN:", "Kernel panic",
                            "general protection fault", "Assertion failed"})) {
      if (!findings.fatal) findings.fatal = line;
    } else if (contains_any(line, {"WARNING:"})) {
      if (!findings.warning) findings.warning = line;
    }
  }
  return findings;
}

std::string take_kernel_log() {
  const int size = klogctl(kSizeOfBuffer, nullptr, 0);
  if (size <= 0) return "";
  std::string log(static_cast<size_t>(size), '\0');
  const int length = klogctl(kReadAndClear, log.data(), size);
  log.resize(length > 0 ? static_cast<size_t>(length) : 0);
  return log;
}

}  // namespace coldread::live
