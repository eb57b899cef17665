#include "fuse/mount/erofs_mounts.h"

#include <linux/fuse.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "fuse/host/fuse_context.h"
#include "fuse/host/own_descriptor.h"
#include "fuse/host/standpoint.h"

namespace coldread::fuse {
namespace {

// What is written to the file, which has what mount(8) keeps from the file system.
struct Wanted {
  ErofsOptions options;
  std::string flags;        // ",nosuid,nodev"
  unsigned attributes = 0;  // the same, as fsmount(2) has it

  int add(const Profile& profile, const std::string& word);
};

int Wanted::add(const Profile& profile, const std::string& word) {
  constexpr std::pair<const char*, unsigned> kFlags[] = {{"nosuid", MOUNT_ATTR_NOSUID},
                                                         {"nodev", MOUNT_ATTR_NODEV},
                                                         {"noexec", MOUNT_ATTR_NOEXEC},
                                                         {"noatime", MOUNT_ATTR_NOATIME},
                                                         {"suid", 0U},
                                                         {"dev", 0U},
                                                         {"exec", 0U},
                                                         {"relatime", 0U},
                                                         {"", 0U}};
  for (const auto& [name, attribute] : kFlags) {
    if (word != name) continue;
    if (attribute != 0) flags += "," + word;
    attributes |= attribute;
    return 0;
  }
  return options.add(profile, word);
}

// Users other than root can mount only as mount(8) lets them, which is where we are ourselves.
int attach_for(pid_t writer, Session& session, const Wanted& wanted,
               const std::string& mountpoint) {
  if (writer != 0 && !stands_where_we_do(writer)) {
    const int connection = session.connect();
    if (connection < 0) return connection;
    const OwnDescriptor context(open_fuse_context());
    int error = std::min(context.get(), 0);
    if (error == 0) error = create_erofs(context.get(), connection, "none");
    if (error != 0) return error;
    const OwnDescriptor mount(mount_created(context.get(), wanted.attributes));
    return mount.get() < 0 ? mount.get() : attach_where(writer, mount.get(), mountpoint);
  }
  SessionOptions session_options;
  // libfuse would add nosuid and nodev, which fusermount3 insists on for others than root.
  const std::string all = geteuid() == 0 ? ",suid,dev" : "";
  session_options.options = "fsname=none,subtype=erofs,ro" + all + wanted.flags;
  return session.mount(mountpoint, session_options) ? 0 : -EPERM;
}

}  // namespace

ErofsMounts::ErofsMounts(Host& host, Kernel& kernel, AllReadCounts& counts, Session::Submit submit,
                         Session::Interrupt interrupt)
    : host_(host),
      kernel_(kernel),
      submit_(std::move(submit)),
      interrupt_(std::move(interrupt)),
      blobs_(kernel, counts) {}

int ErofsMounts::mount(const ErofsOptions& options, const std::string& name,
                       const ErofsMount::Attach& attach) {
  // Who unmounts and mounts again must not find the old one: umount(2) has taken it down.
  settle();
  if (options.fsid.empty()) return -EINVAL;
  auto made = std::make_shared<ErofsMount>(host_, kernel_, blobs_, submit_, interrupt_);
  ErofsMount& mount = *made;
  const int error = mount.mount(options, name, attach, [this] { host_.post([this] { reap(); }); });
  if (error != 0) {
    mount.unmount();
    return error;
  }
  mounts_.push_back(std::move(made));
  return 0;
}

// A mount leaves the list first: others may come here while it is taken down.
void ErofsMounts::take_down(std::list<std::shared_ptr<ErofsMount>>::iterator which) {
  std::list<std::shared_ptr<ErofsMount>> ending;
  ending.splice(ending.begin(), mounts_, which);
  ending_++;
  ending.front()->unmount();
  ending_--;
}

void ErofsMounts::reap() {
  for (auto next = mounts_.begin(); next != mounts_.end();) {
    const auto each = next++;
    if (!(*each)->ended()) continue;
    take_down(each);
    next = mounts_.begin();
  }
}

void ErofsMounts::settle() {
  reap();
  while (ending_ > 0) host_.sleep(std::chrono::milliseconds(1));
}

void ErofsMounts::stop_reading() {
  for (const auto& mount : mounts_) mount->stop_reading();
}

void ErofsMounts::unmount_all() {
  while (!mounts_.empty()) take_down(mounts_.begin());
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
  Wanted wanted;
  int error = 0;
  std::istringstream words(options);
  for (std::string word; error == 0 && std::getline(words, word, ',');)
    error = wanted.add(mounts_.profile(), word);
  if (error == 0) {
    const auto writer = static_cast<pid_t>(request.pid);
    const auto attach = [&wanted, &mountpoint, writer](Session& session) {
      return attach_for(writer, session, wanted, mountpoint);
    };
    error = mounts_.mount(wanted.options, mountpoint, attach);
  }
  if (error != 0)
    request.error(-error);
  else
    request.written(request.size);
}

}  // namespace coldread::fuse
