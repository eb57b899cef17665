#include "fuse/host/process_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace coldread::fuse {
namespace {

// Pages of any machine are multiples of this.
constexpr uint64_t kSmallestPage = 4096;

// An address of another process is no pointer of ours, but the calls want one.
void* foreign(uint64_t address) {
  return reinterpret_cast<void*>(static_cast<uintptr_t>(address));  // NOLINT(performance-*)
}

int outcome(ssize_t copied, size_t wanted) {
  if (copied < 0) return errno == ESRCH ? -ESRCH : -EFAULT;
  return static_cast<size_t>(copied) == wanted ? 0 : -EFAULT;
}

}  // namespace

int read_memory(pid_t thread, uint64_t address, std::span<std::byte> to) {
  const iovec here{to.data(), to.size()};
  const iovec there{foreign(address), to.size()};
  return outcome(process_vm_readv(thread, &here, 1, &there, 1, 0), to.size());
}

int write_memory(pid_t thread, uint64_t address, std::span<const std::byte> from) {
  const iovec here{const_cast<std::byte*>(from.data()), from.size()};
  const iovec there{foreign(address), from.size()};
  return outcome(process_vm_writev(thread, &here, 1, &there, 1, 0), from.size());
}

std::optional<std::string> read_path(pid_t thread, uint64_t address) {
  std::string path;
  char piece[kSmallestPage];
  while (path.size() < PATH_MAX) {
    // Up to the end of the page: behind the NUL there may be nothing.
    const uint64_t start = address + path.size();
    const size_t length = kSmallestPage - start % kSmallestPage;
    if (read_memory(thread, start, std::as_writable_bytes(std::span(piece, length))) != 0) {
      return {};
    }
    const size_t text = strnlen(piece, length);
    path.append(piece, text);
    if (text < length) return path.size() < PATH_MAX ? std::optional(path) : std::nullopt;
  }
  return {};
}

}  // namespace coldread::fuse
