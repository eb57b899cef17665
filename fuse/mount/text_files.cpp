// Texts, made or as they come.
#include "fuse/mount/text_files.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace coldread::fuse {

std::string printable(std::string_view name) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string result;
  for (const char byte : name) {
    const auto value = static_cast<unsigned char>(byte);
    if (value >= ' ' && value != 0x7f && value != '\\') {
      result += byte;
    } else {
      result += "\\x";
      result += kDigits[value >> 4];
      result += kDigits[value & 15];
    }
  }
  return result;
}

void TextFile::open(Request& request) {
  if ((request.flags & O_ACCMODE) != O_RDONLY) {
    request.error(EACCES);
    return;
  }
  const uint64_t handle = ++last_handle_;
  const int error = make_(&texts_[handle]);
  if (error != 0) request.error(-error);
  if (error != 0 || !request.open({handle, FOPEN_DIRECT_IO | FOPEN_NOFLUSH})) texts_.erase(handle);
}

void TextFile::read(Request& request) {
  const auto found = texts_.find(request.handle);
  if (found == texts_.end()) {
    request.error(EBADF);
    return;
  }
  const std::span<const char> text = found->second;
  const size_t from = std::min(static_cast<size_t>(request.offset), text.size());
  const size_t length = std::min(request.size, text.size() - from);
  request.bytes(std::as_bytes(text.subspan(from, length)));
}

void TextFile::release(Request& request) {
  texts_.erase(request.handle);
  request.error(0);
}

void TracePipe::open(Request& request) {
  if ((request.flags & O_ACCMODE) != O_RDONLY) {
    request.error(EACCES);
    return;
  }
  log_.follow();
  if (!request.open({++last_handle_, FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NOFLUSH}))
    log_.unfollow();
}

TracePipe::Poller::~Poller() {
  log.arrived().remove(entry);
}

void TracePipe::notify(void* poller) {
  static_cast<Poller*>(poller)->handle->notify();
}

void TracePipe::poll(Request& request) {
  if (request.poll_handle != nullptr) {
    Poller& poller = pollers_.try_emplace(request.handle, log_).first->second;
    poller.handle = std::move(request.poll_handle);
    log_.arrived().add(poller.entry);
  }
  request.poll(log_.empty() ? 0 : POLLIN | POLLRDNORM);
}

void TracePipe::read(Request& request) {
  Task& task = *scheduler_.current();
  WaitQueue::Entry entry(task);
  int error = 0;
  while (log_.empty() && error == 0) {
    log_.arrived().add(entry);
    if ((request.flags & O_NONBLOCK) != 0) {
      error = EAGAIN;
    } else if (task.fatal_signal || task.signal_pending) {
      error = EINTR;
    } else if (!entry.woken()) {
      scheduler_.block({"trace", "trace_pipe", true, false, true});
    }
  }
  log_.arrived().remove(entry);
  if (error != 0) {
    request.error(error);
    return;
  }
  const std::span<std::byte> out = request.data.get(request.size);
  const size_t taken = log_.take({reinterpret_cast<char*>(out.data()), out.size()});
  request.bytes(out.first(taken));
}

void TracePipe::release(Request& request) {
  pollers_.erase(request.handle);
  log_.unfollow();
  request.error(0);
}

}  // namespace coldread::fuse
