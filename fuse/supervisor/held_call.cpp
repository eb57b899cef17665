#include "fuse/supervisor/held_call.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "fuse/host/process_memory.h"
#include "kernelmodel/cachefiles/uapi.h"

namespace coldread::fuse {
namespace {

constexpr uint64_t kPlaceOfFd = sizeof(uapi::cachefiles_msg) + offsetof(uapi::cachefiles_open, fd);

}  // namespace

HeldCall::~HeldCall() {
  if (!answered_) answer(-EIO);
}

void HeldCall::answer(int64_t result) {
  answered_ = true;
  if (listener_) listener_->answer(id_, result);
}

int HeldRead::reserve() const {
  return lowest_free_descriptor(thread());
}

int HeldRead::write(std::span<const std::byte> message) const {
  if (!listener().still_held(id())) return 0;  // or its number may be another's by now
  return write_memory(thread(), buffer_, message) == -EFAULT ? -EFAULT : 0;
}

int HeldRead::install(const std::string& path, int reserved) const {
  const int installed = listener().add_opened(id(), path, O_WRONLY, {}, false);
  if (installed == -ENOENT) return installed;  // it was killed: there is nobody to miss anything
  if (installed < 0) {
    fmt::print(stderr, "coldread: process {} cannot be given the descriptor of an OPEN: {}\n",
               thread(), std::strerror(-installed));
    return installed;
  }
  if (installed != reserved) {
    const auto number = static_cast<uint32_t>(installed);
    write_memory(thread(), buffer_ + kPlaceOfFd, std::as_bytes(std::span(&number, 1)));
  }
  return 0;
}

}  // namespace coldread::fuse
