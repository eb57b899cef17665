#include "fuse/mount/erofs_mounts.h"

#include <linux/fuse.h>

#include <cerrno>

namespace coldread::fuse {

ErofsMounts::ErofsMounts(Host& host, Kernel& kernel, Session::Submit submit,
                         Session::Interrupt interrupt)
    : host_(host),
      kernel_(kernel),
      submit_(std::move(submit)),
      interrupt_(std::move(interrupt)),
      blobs_(kernel) {}

int ErofsMounts::mount(const std::string& options, const std::string& mountpoint) {
  // Who unmounts and mounts again must not find the old one.
  reap();
  ErofsOptions parsed;
  if (const int error = ErofsOptions::parse(kernel_.profile, options, &parsed); error != 0)
    return error;
  auto made = std::make_shared<ErofsMount>(host_, kernel_, blobs_, submit_, interrupt_);
  ErofsMount& mount = *made;
  const int error = mount.mount(parsed, mountpoint, [this] { host_.post([this] { reap(); }); });
  if (error != 0) {
    mount.unmount();
    return error;
  }
  mounts_.push_back(std::move(made));
  return 0;
}

// A mount leaves the list first: others may come here while it is taken down.
void ErofsMounts::reap() {
  for (auto next = mounts_.begin(); next != mounts_.end();) {
    const auto each = next++;
    if (!(*each)->ended()) continue;
    std::list<std::shared_ptr<ErofsMount>> ending;
    ending.splice(ending.begin(), mounts_, each);
    ending.front()->unmount();
    next = mounts_.begin();
  }
}

void ErofsMounts::stop_reading() {
  for (const auto& mount : mounts_) mount->stop_reading();
}

void ErofsMounts::unmount_all() {
  while (!mounts_.empty()) {
    std::list<std::shared_ptr<ErofsMount>> ending;
    ending.splice(ending.begin(), mounts_, mounts_.begin());
    ending.front()->unmount();
  }
}

void ErofsMounts::disconnect() {
  for (const auto& mount : mounts_) mount->disconnect();
}

void MountFile::open(Request& request) {
  request.open({0, FOPEN_DIRECT_IO});
}

void MountFile::write(Request& request) {
  if (request.tape != nullptr && request.tape->on()) {
    request.error(EOPNOTSUPP);  // a recording is of one file system
    return;
  }
  const auto* const text = reinterpret_cast<const char*>(request.data.current().data());
  std::string options(text, request.size);
  if (!options.empty() && options.back() == '\n') options.pop_back();
  const size_t end = options.find('\n');
  if (end == std::string::npos || end + 1 >= options.size() || options[end + 1] != '/') {
    request.error(EINVAL);
    return;
  }
  const std::string mountpoint = options.substr(end + 1);
  options.resize(end);
  const int error = mounts_.mount(options, mountpoint);
  if (error != 0)
    request.error(-error);
  else
    request.written(request.size);
}

}  // namespace coldread::fuse
