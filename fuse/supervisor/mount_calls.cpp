#include "fuse/supervisor/mount_calls.h"

#include <fcntl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "fuse/host/fuse_context.h"
#include "fuse/host/own_descriptor.h"
#include "fuse/host/process_memory.h"
#include "fuse/host/standpoint.h"
#include "fuse/supervisor/process.h"

namespace coldread::fuse {
namespace {

constexpr const char* kImageType = "fuse.erofs";
constexpr unsigned long kMagic = 0xc0ed0000,
                        kMagicMask = 0xffff0000;  // MS_MGC_VAL, of old programs
constexpr unsigned long kNoSymlinks = 256;        // MS_NOSYMFOLLOW

// syslog(2)'s commands that are answered.
enum LogCommand : int { read_all = 3, read_clear = 4, clear = 5, size_buffer = 10 };

pid_t thread_of(const seccomp_notif& call) {
  return static_cast<pid_t>(call.pid);
}

// The flags of mount(2) as fsmount(2) has them.
unsigned attributes_of(unsigned long flags) {
  const std::pair<unsigned long, unsigned> kAll[] = {
      {MS_RDONLY, MOUNT_ATTR_RDONLY},         {MS_NOSUID, MOUNT_ATTR_NOSUID},
      {MS_NODEV, MOUNT_ATTR_NODEV},           {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
      {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {kNoSymlinks, MOUNT_ATTR_NOSYMFOLLOW}};
  unsigned result = 0;
  for (const auto& [flag, attribute] : kAll)
    if ((flags & flag) != 0) result |= attribute;
  if ((flags & MS_STRICTATIME) != 0) return result | MOUNT_ATTR_STRICTATIME;
  return result | ((flags & MS_NOATIME) != 0 ? MOUNT_ATTR_NOATIME : MOUNT_ATTR_RELATIME);
}

int attach(int connection, pid_t thread, unsigned attributes, const std::string& source,
           const std::string& target) {
  const OwnDescriptor context(open_fuse_context());
  if (!context) return context.get();
  if (const int error = create_erofs(context.get(), connection, source); error != 0) return error;
  const OwnDescriptor mount(mount_created(context.get(), attributes));
  return mount ? attach_where(thread, mount.get(), target) : mount.get();
}

}  // namespace

std::vector<std::string> split_options(const std::string& data) {
  std::vector<std::string> options;
  std::istringstream words(data);
  for (std::string word; std::getline(words, word, ',');)
    if (!word.empty()) options.push_back(word);
  return options;
}

bool has_option(const std::vector<std::string>& options, const std::string& key) {
  return std::ranges::any_of(options, [&key](const std::string& option) {
    return option.compare(0, key.size() + 1, key + "=") == 0;
  });
}

int check_options(const MountService& service, const std::vector<std::string>& options) {
  for (const std::string& option : options) {
    if (const int error = service.check_option(option); error != 0) return error;
  }
  return 0;
}

MountCalls::MountCalls(std::shared_ptr<Listener> listener, MountService& service)
    : listener_(std::move(listener)), service_(service), contexts_(listener_, service) {}

MountCalls::~MountCalls() {
  for (const std::string& target : outside_) {
    struct statfs statistics = {};
    if (statfs(target.c_str(), &statistics) < 0 && errno == ENOTCONN)
      umount2(target.c_str(), MNT_DETACH);
  }
}

bool MountCalls::handle(const seccomp_notif& call) {
  switch (call.data.nr) {
    case SYS_mount:
      mount(call);
      return true;
    case SYS_umount2:
      unmount(call);
      return true;
    case SYS_fsopen:
      contexts_.open(call);
      return true;
    case SYS_fspick:
      contexts_.pick(call);
      return true;
    case SYS_fsconfig:
      contexts_.configure(call);
      return true;
    case SYS_syslog:
      read_log(call);
      return true;
    default:
      return false;
  }
}

void MountCalls::mount(const seccomp_notif& call) {
  unsigned long flags = call.data.args[3];
  if ((flags & kMagicMask) == kMagic) flags &= ~kMagicMask;
  if ((flags & (MS_REMOUNT | MS_BIND)) == MS_REMOUNT) return remount(call, flags);
  constexpr unsigned long kOther =
      MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
  const pid_t thread = thread_of(call);
  const std::optional<std::string> type = read_path(thread, call.data.args[2]);
  const std::optional<std::string> data = read_path(thread, call.data.args[4]);
  const bool ours = (flags & kOther) == 0 && type == "erofs" && data &&
                    has_option(split_options(*data), "fsid") && may_mount(thread);
  if (!listener_->still_held(call.id)) return;
  if (!ours) return listener_->let_through(call.id);
  mount_image(call, flags, *data);
}

void MountCalls::mount_image(const seccomp_notif& call, unsigned long flags,
                             const std::string& data) {
  const pid_t thread = thread_of(call);
  const std::string source = read_path(thread, call.data.args[0]).value_or("none");
  const std::optional<std::string> target = read_path(thread, call.data.args[1]);
  if (!target) return listener_->answer(call.id, -EFAULT);
  const std::vector<std::string> options = split_options(data);
  int error = standing_where(thread, {}, [&] {
    struct statx found = {};
    return statx(AT_FDCWD, target->c_str(), AT_STATX_DONT_SYNC, 0, &found) < 0 ? -errno : 0;
  });
  if (error == 0) error = check_options(service_, options);
  if (error == 0) {
    const unsigned attributes = attributes_of(flags);
    error = service_.mount(
        options, *target,
        [thread, attributes, source, target = *target](int connection) {
          return attach(connection, thread, attributes, source, target);
        },
        [this, id = call.id] { return listener_->still_held(id); });
  }
  if (error == 0 && stands_where_we_do(thread)) {
    const std::lock_guard lock(mutex_);
    outside_.push_back(absolute_path(thread, AT_FDCWD, *target));
  }
  listener_->answer(call.id, error);
}

// EROFS looks at its options and ignores those that would make it another image; the rest is the
// VFS', but it stays read-only.
void MountCalls::remount(const seccomp_notif& call, unsigned long flags) {
  const pid_t thread = thread_of(call);
  const std::optional<std::string> target = read_path(thread, call.data.args[1]);
  if (!target || !may_mount(thread) || mount_type(thread, AT_FDCWD, *target, true) != kImageType)
    return listener_->let_through(call.id);
  const std::vector<std::string> options =
      split_options(read_path(thread, call.data.args[4]).value_or(""));
  int error = check_options(service_, options);
  if (error == 0) {
    error = standing_where(thread, {}, [&] {
      return ::mount(nullptr, target->c_str(), nullptr, flags | MS_RDONLY, nullptr) < 0 ? -errno
                                                                                        : 0;
    });
  }
  if (error == 0 && (has_option(options, "fsid") || has_option(options, "domain_id")))
    service_.ignored_options();
  listener_->answer(call.id, error);
}

void MountCalls::unmount(const seccomp_notif& call) {
  const pid_t thread = thread_of(call);
  const std::optional<std::string> target = read_path(thread, call.data.args[0]);
  // FUSE would cut off readers; EROFS knows no force.
  const int flags = static_cast<int>(call.data.args[1]) & ~MNT_FORCE;
  if (!target || !may_mount(thread) ||
      mount_type(thread, AT_FDCWD, *target, (flags & UMOUNT_NOFOLLOW) == 0) != kImageType)
    return listener_->let_through(call.id);
  const int error =
      standing_where(thread, {}, [&] { return umount2(target->c_str(), flags) < 0 ? -errno : 0; });
  if (error == 0) service_.unmounted([this, id = call.id] { return listener_->still_held(id); });
  listener_->answer(call.id, error);
}

void MountCalls::read_log(const seccomp_notif& call) {
  const auto command = static_cast<int>(call.data.args[0]);
  const bool clears = command == LogCommand::clear || command == LogCommand::read_clear;
  if (command == LogCommand::size_buffer)
    return listener_->answer(call.id, MountService::kKernelLogSize);
  if (!clears && command != LogCommand::read_all) return listener_->let_through(call.id);
  if (clears && !counts_as_administrator(thread_of(call)))
    return listener_->answer(call.id, -EPERM);
  const auto size = command == LogCommand::clear ? 0 : static_cast<int>(call.data.args[2]);
  if (size < 0) return listener_->answer(call.id, -EINVAL);
  const std::string text = service_.kernel_log(static_cast<size_t>(size), clears);
  const int error =
      write_memory(thread_of(call), call.data.args[1], std::as_bytes(std::span(text)));
  listener_->answer(call.id,
                    error < 0 && !text.empty() ? error : static_cast<int64_t>(text.size()));
}

}  // namespace coldread::fuse
