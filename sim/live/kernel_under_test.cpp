#include "sim/live/kernel_under_test.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "sim/live/failslab.h"
#include "sim/live/kernel_log.h"
#include "sim/live/kernel_trace.h"

namespace coldread::live {
namespace {

constexpr int kHeadingLines = 2;  // of each of fscache's tables

int64_t answer(int64_t result) {
  return result < 0 ? -errno : 0;
}

void add_lines(const std::string& text, int skip, const std::string& prefix,
               std::vector<std::string>& lines) {
  std::istringstream in(text);
  std::string line;
  for (int i = 0; std::getline(in, line); ++i) {
    if (i >= skip) lines.push_back(prefix + line);
  }
}

}  // namespace

bool KernelUnderTest::rests(ThreadStates& states) const {
  return server != 0 ? states.all_sleep(server) : kernel_threads_wait();
}

std::vector<std::string> KernelUnderTest::waiting() const {
  if (server == 0) return waiting_kernel_threads();
  std::vector<std::string> lines = threads_at_work(server);
  add_lines(read_file(root + "/requests"), 0, "", lines);
  return lines;
}

std::vector<std::string> KernelUnderTest::fscache_tables() const {
  std::vector<std::string> lines;
  for (const char* table : {"caches", "volumes", "cookies"}) {
    add_lines(read_file(root + "/proc/fs/fscache/" + table), kHeadingLines,
              std::string(table) + ": ", lines);
  }
  return lines;
}

std::string KernelUnderTest::take_log() const {
  return server == 0 ? take_kernel_log() : "";
}

Status KernelUnderTest::begin_trace() const {
  return traced ? begin_kernel_trace() : Nothing{};
}

Result<std::optional<std::vector<std::string>>> KernelUnderTest::take_trace() const {
  if (!traced) return std::optional<std::vector<std::string>>();
  Result<std::vector<std::string>> lines = take_kernel_trace();
  if (!lines) return Error{lines.error()};
  return std::optional(std::move(*lines));
}

int64_t KernelUnderTest::inject_errors(uint32_t errors) const {
  return write_file(root + "/proc/sys/cachefiles/error_injection", std::to_string(errors));
}

int64_t KernelUnderTest::fail_allocation(Allocation what) const {
  return root.empty() ? fail_next(what) : -ENOSYS;
}

int64_t KernelUnderTest::read_proc(const std::string& file, std::string* text) const {
  text->clear();
  const int fd = open((root + "/proc/fs/fscache/" + file).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  char buffer[4096];
  ssize_t length = 0;
  while ((length = read(fd, buffer, sizeof buffer)) > 0)
    text->append(buffer, static_cast<size_t>(length));
  const int64_t result = answer(length);
  close(fd);
  return result;
}

}  // namespace coldread::live
