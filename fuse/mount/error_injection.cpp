#include "fuse/mount/error_injection.h"

#include <linux/fuse.h>

#include <cerrno>
#include <charconv>

#include "kernelmodel/cachefiles/internal.h"

namespace coldread::fuse {

constexpr uint32_t kLargestState = 3;

void ErrorInjection::open(Request& request) {
  request.open({0, FOPEN_DIRECT_IO});
}

void ErrorInjection::write(Request& request) {
  const auto* const text = reinterpret_cast<const char*>(request.data.current().data());
  const char* const end = text + request.size;
  uint32_t errors = 0;
  const auto [rest, failed] = std::from_chars(text, end, errors);
  if (failed != std::errc() || (rest != end && *rest != '\n') || errors > kLargestState) {
    request.error(EINVAL);
    return;
  }
  kernel_.cachefiles.error_injection_state = errors;
  request.written(request.size);
}

}  // namespace coldread::fuse
