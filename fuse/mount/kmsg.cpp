#include "fuse/mount/kmsg.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace coldread::fuse {
namespace {

// Where a file stands after a seek other than to its beginning: reads there go on.
constexpr off_t kSomewhere = 1;

}  // namespace

void Kmsg::open(Request& request) {
  positions_[++last_handle_] = 0;
  if (!request.open({last_handle_, FOPEN_DIRECT_IO | FOPEN_NOFLUSH}))
    positions_.erase(last_handle_);
}

void Kmsg::read(Request& request) {
  const auto found = positions_.find(request.handle);
  if (found == positions_.end()) {
    request.error(EBADF);
    return;
  }
  if (request.offset == 0) found->second = 0;
  Task& task = *scheduler_.current();
  WaitQueue::Entry entry(task);
  int error = 0;
  while (error == 0 && found->second >= log_.ring().end()) {
    log_.said().add(entry);
    if ((request.flags & O_NONBLOCK) != 0) {
      error = EAGAIN;
    } else if (task.fatal_signal || task.signal_pending) {
      error = EINTR;
    } else if (!entry.woken()) {
      scheduler_.block({"trace", "dev/kmsg", true, false, true});
    }
  }
  log_.said().remove(entry);
  const std::optional<std::string> record =
      error == 0 ? log_.ring().record(&found->second) : std::nullopt;
  if (error != 0) {
    request.error(error);
  } else if (record->size() > request.size) {
    request.error(EINVAL);
  } else {
    found->second++;
    request.bytes(std::as_bytes(std::span(*record)));
  }
}

void Kmsg::write(Request& request) {
  const auto* const text = reinterpret_cast<const char*>(request.data.current().data());
  std::string_view line(text, request.size);
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  log_.say(KernelLog::kWarning, line);
  request.written(request.size);
}

void Kmsg::lseek(Request& request) {
  const auto found = positions_.find(request.handle);
  if (found == positions_.end() || request.offset != 0) {
    request.error(found == positions_.end() ? EBADF : ESPIPE);
    return;
  }
  found->second = request.whence == SEEK_DATA ? log_.ring().cleared() : log_.ring().end();
  request.position(kSomewhere);
}

void Kmsg::release(Request& request) {
  positions_.erase(request.handle);
  request.error(0);
}

}  // namespace coldread::fuse
