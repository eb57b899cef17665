#include "sim/live/kernel_trace.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <sstream>
#include <string_view>

#include "sim/live/proc_state.h"

namespace coldread::live {
namespace {

constexpr const char* kTraceFs = "/sys/kernel/tracing";
constexpr std::string_view kIdLetters = "CVco";  // caches, volumes, cookies, objects
constexpr std::array<uint64_t, kIdLetters.size()> kFirstIds = {1, 1, 2, 1};  // after a boot
constexpr size_t kIdDigits = 8;  // at least; what has fewer is a count
constexpr uint64_t kNone = 0xffffffff;

Status write_file(const std::string& name, const char* text) {
  const std::string path = fmt::format("{}/{}", kTraceFs, name);
  const int fd = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  const bool done = fd >= 0 && write(fd, text, std::strlen(text)) >= 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!done) return Error{fmt::format("{}: {}", path, std::strerror(error))};
  return Nothing{};
}

struct Id {
  size_t kind;
  size_t begin;  // of its digits in the line
  size_t length;
  uint64_t number;
};

// The id that begins at `at`, if one does: "o=0000002a" at the beginning of a word.
std::optional<Id> id_at(std::string_view line, size_t at) {
  const size_t kind = kIdLetters.find(line[at]);
  if (kind == std::string_view::npos || at + 2 + kIdDigits > line.size() || line[at + 1] != '=' ||
      line[at - 1] != ' ')
    return std::nullopt;
  Id id{kind, at + 2, 0, 0};
  const char* first = line.data() + id.begin;
  id.length = static_cast<size_t>(
      std::from_chars(first, line.data() + line.size(), id.number, 16).ptr - first);
  if (id.length < kIdDigits || id.number == 0 || id.number == kNone) return std::nullopt;
  return id;
}

void for_each_id(std::string_view line, const std::function<void(const Id&)>& visit) {
  if (line.starts_with("console:")) return;
  for (size_t at = 1; at < line.size(); ++at) {
    if (const std::optional<Id> id = id_at(line, at)) visit(*id);
  }
}

}  // namespace

Status prepare_kernel_trace() {
  if (mount("tracefs", kTraceFs, "tracefs", 0, nullptr) < 0)
    return Error{fmt::format("mounting tracefs at {}: {}", kTraceFs, std::strerror(errno))};
  Status done = write_file("trace_options", "nocontext-info");  // neither task, processor nor time
  for (const char* events : {"cachefiles", "fscache", "printk/console"}) {
    if (done) done = write_file(fmt::format("events/{}/enable", events), "1");
  }
  return done;
}

Status begin_kernel_trace() {
  return write_file("trace", "");
}

Result<std::vector<std::string>> take_kernel_trace() {
  if (read_file(fmt::format("{}/per_cpu/cpu0/stats", kTraceFs)).find("\noverrun: 0\n") ==
      std::string::npos)
    return Error{"the kernel traced more than its buffer holds"};
  std::istringstream in(read_file(fmt::format("{}/trace", kTraceFs)));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("#")) lines.push_back(line);
  }
  return renumbered(std::move(lines));
}

std::vector<std::string> renumbered(std::vector<std::string> lines) {
  std::array<uint64_t, kIdLetters.size()> lowest;
  lowest.fill(UINT64_MAX);
  for (const std::string& line : lines) {
    for_each_id(line,
                [&](const Id& id) { lowest[id.kind] = std::min(lowest[id.kind], id.number); });
  }
  for (std::string& line : lines) {
    std::string result;
    size_t copied = 0;
    for_each_id(line, [&](const Id& id) {
      result.append(line, copied, id.begin - copied);
      result += fmt::format("{:08x}", id.number - lowest[id.kind] + kFirstIds[id.kind]);
      copied = id.begin + id.length;
    });
    line = result + line.substr(copied);
  }
  return lines;
}

}  // namespace coldread::live
