#include "fuse/supervisor/context_calls.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "fuse/host/fuse_context.h"
#include "fuse/host/own_descriptor.h"
#include "fuse/host/process_memory.h"
#include "fuse/host/standpoint.h"
#include "fuse/supervisor/mount_calls.h"
#include "fuse/supervisor/process.h"

namespace coldread::fuse {
namespace {

constexpr unsigned kCreateExclusively = 8;  // FSCONFIG_CMD_CREATE_EXCL, since Linux 6.6

pid_t thread_of(const seccomp_notif& call) {
  return static_cast<pid_t>(call.pid);
}

// These the VFS keeps for itself, whatever the file system.
bool is_for_vfs(const std::string& flag) {
  constexpr const char* kAll[] = {"ro",       "rw",         "sync", "async",  "dirsync",
                                  "lazytime", "nolazytime", "mand", "nomand", "silent"};
  return std::ranges::find(kAll, flag) != std::end(kAll);
}

}  // namespace

ContextCalls::Context::~Context() {
  if (placed >= 0) close(placed);
  if (fuse >= 0) close(fuse);
}

std::shared_ptr<ContextCalls::Context> ContextCalls::find(const seccomp_notif& call) {
  const pid_t process = process_of(thread_of(call));
  const std::lock_guard lock(mutex_);
  for (const auto& context : contexts_) {
    if (context->for_remount) {
      if (context->process == process && context->number == static_cast<int>(call.data.args[0]))
        return context;
    } else if (syscall(SYS_kcmp, getpid(), call.pid, KCMP_FILE, context->placed,
                       call.data.args[0]) == 0) {
      return context;
    }
  }
  return nullptr;
}

// Before the process gets its next context, at a number that it may have used before.
void ContextCalls::forget_closed(const seccomp_notif& call) {
  const pid_t process = process_of(thread_of(call));
  const std::lock_guard lock(mutex_);
  contexts_.remove_if([&](const std::shared_ptr<Context>& context) {
    return context->for_remount && context->process == process &&
           !has_descriptor(thread_of(call), context->number);
  });
}

void ContextCalls::keep(const std::shared_ptr<Context>& context) {
  const std::lock_guard lock(mutex_);
  contexts_.push_back(context);
  if (contexts_.size() > kMaxContexts) contexts_.pop_front();
}

void ContextCalls::forget(const std::shared_ptr<Context>& context) {
  const std::lock_guard lock(mutex_);
  contexts_.remove(context);
}

// The program gets the kernel's own context if the kernel has EROFS, for images that are files.
void ContextCalls::open(const seccomp_notif& call) {
  forget_closed(call);
  const std::optional<std::string> type = read_path(thread_of(call), call.data.args[0]);
  if (type != "erofs" || !may_mount(thread_of(call))) return listener_->let_through(call.id);
  const auto context = std::make_shared<Context>();
  context->fuse = open_fuse_context();
  context->placed = fsopen("erofs", FSOPEN_CLOEXEC);
  if (context->placed < 0) context->placed = std::exchange(context->fuse, -1);
  if (context->placed < 0) return listener_->let_through(call.id);
  const int number =
      listener_->add_fd(call.id, context->placed, {}, (call.data.args[1] & FSOPEN_CLOEXEC) != 0);
  if (number >= 0) keep(context);
  listener_->answer(call.id, number);
}

void ContextCalls::pick(const seccomp_notif& call) {
  forget_closed(call);
  const pid_t thread = thread_of(call);
  const std::optional<std::string> path = read_path(thread, call.data.args[1]);
  const auto number = static_cast<int>(call.data.args[0]);
  const auto flags = static_cast<unsigned>(call.data.args[2]);
  const OwnDescriptor directory(number == AT_FDCWD ? AT_FDCWD : copy_descriptor(thread, number));
  const int from = directory ? directory.get() : AT_FDCWD;
  if (!path || (number != AT_FDCWD && !directory) || !may_mount(thread) ||
      mount_type(thread, from, *path, (flags & FSPICK_SYMLINK_NOFOLLOW) == 0) != "fuse.erofs")
    return listener_->let_through(call.id);
  std::vector<int> kept = {listener_->fd()};
  if (directory) kept.push_back(directory.get());
  const int given = standing_where(thread, kept, [&] {
    const OwnDescriptor picked(fspick(from, path->c_str(), flags | FSPICK_CLOEXEC));
    if (!picked) return -errno;
    return listener_->add_fd(call.id, picked.get(), {}, (flags & FSPICK_CLOEXEC) != 0);
  });
  const auto context = std::make_shared<Context>();
  context->for_remount = true;
  context->process = process_of(thread);
  context->number = given;
  if (given >= 0) keep(context);
  listener_->answer(call.id, given);
}

void ContextCalls::configure(const seccomp_notif& call) {
  const std::shared_ptr<Context> context = find(call);
  if (context == nullptr) return listener_->let_through(call.id);
  const std::lock_guard lock(context->mutex);
  int error = 0;
  if (context->failed) {
    error = -EBUSY;
  } else {
    switch (static_cast<unsigned>(call.data.args[1])) {
      case FSCONFIG_SET_FLAG:
      case FSCONFIG_SET_STRING:
        if (!told(*context, call, &error)) return listener_->let_through(call.id);
        break;
      case FSCONFIG_CMD_CREATE:
      case kCreateExclusively:
        forget(context);
        if (!context->for_image) return listener_->let_through(call.id);
        error = create(context, call);
        break;
      case FSCONFIG_CMD_RECONFIGURE:
        if (!context->for_remount) return listener_->let_through(call.id);
        error = reconfigure(*context, call);
        break;
      default:
        if (!context->for_image) return listener_->let_through(call.id);
        error = -EINVAL;
    }
  }
  listener_->answer(call.id, error);
}

// One parameter: false, it is the kernel's as well.
bool ContextCalls::told(Context& context, const seccomp_notif& call, int* error) {
  const std::optional<std::string> key = read_path(thread_of(call), call.data.args[2]);
  const bool flag = call.data.args[1] == FSCONFIG_SET_FLAG;
  const std::optional<std::string> value =
      flag ? std::string() : read_path(thread_of(call), call.data.args[3]);
  if (!key || !value || !listener_->still_held(call.id)) return false;
  if (flag && is_for_vfs(*key)) return false;
  if (!flag && *key == "source") {
    context.source = *value;
    return context.for_image || context.for_remount;
  }
  const std::string option = flag ? *key : *key + "=" + *value;
  const bool known_by_mode = *key == "fsid" || *key == "domain_id";
  if (!context.for_image && !context.for_remount && !known_by_mode) {
    context.options.push_back(option);
    return false;
  }
  *error = add_option(context, call, option);
  return true;
}

int ContextCalls::add_option(Context& context, const seccomp_notif& call,
                             const std::string& option) {
  if (const int error = service_.check_option(option); error != 0) return error;
  context.options.push_back(option);
  if (context.for_image || context.for_remount) return 0;
  if (const int error = check_options(service_, context.options); error != 0) return error;
  context.for_image = true;
  if (context.fuse < 0) return 0;  // is in its place already
  const auto number = static_cast<int>(call.data.args[0]);
  const bool close_on_exec = closes_on_exec(thread_of(call), number);
  close(std::exchange(context.placed, std::exchange(context.fuse, -1)));
  return std::min(listener_->add_fd(call.id, context.placed, number, close_on_exec), 0);
}

int ContextCalls::create(const std::shared_ptr<Context>& context, const seccomp_notif& call) {
  const std::string source = context->source;
  const int error = service_.mount(
      context->options, source,
      [context, source](int connection) {
        return create_erofs(context->placed, connection, source);
      },
      [listener = listener_, id = call.id] { return listener->still_held(id); });
  context->failed = error != 0;
  if (error != 0) keep(context);
  return error;
}

// Nothing that it was told changes an image; the rest is the VFS'.
int ContextCalls::reconfigure(const Context& context, const seccomp_notif& call) {
  if (has_option(context.options, "fsid") || has_option(context.options, "domain_id"))
    service_.ignored_options();
  const OwnDescriptor copy(copy_descriptor(thread_of(call), context.number));
  if (!copy) return copy.get();
  if (fsconfig(copy.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) < 0) return -errno;
  return fsconfig(copy.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) < 0 ? -errno : 0;
}

}  // namespace coldread::fuse
