#include "fuse/host/fuse_context.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "fuse/host/standpoint.h"

namespace coldread::fuse {
namespace {

int set_string(int context, const char* key, const std::string& value) {
  return fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) < 0 ? -errno : 0;
}

int set_flag(int context, const char* key) {
  return fsconfig(context, FSCONFIG_SET_FLAG, key, nullptr, 0) < 0 ? -errno : 0;
}

}  // namespace

int open_fuse_context() {
  const int context = fsopen("fuse", FSOPEN_CLOEXEC);
  return context < 0 ? -errno : context;
}

int create_erofs(int context, int connection, const std::string& source) {
  int error = set_string(context, "source", source);
  if (error == 0) error = set_string(context, "subtype", "erofs");
  if (error == 0) error = set_string(context, "fd", std::to_string(connection));
  if (error == 0) error = set_string(context, "rootmode", "40000");
  if (error == 0) error = set_string(context, "user_id", std::to_string(geteuid()));
  if (error == 0) error = set_string(context, "group_id", std::to_string(getegid()));
  if (error == 0) error = set_flag(context, "default_permissions");
  if (error == 0) error = set_flag(context, "allow_other");
  if (error == 0) error = set_flag(context, "ro");
  if (error == 0 && fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) error = -errno;
  return error;
}

int mount_created(int context, unsigned attributes) {
  const int mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
  return mount < 0 ? -errno : mount;
}

int attach_where(pid_t thread, int mount, const std::string& path) {
  return standing_where(thread, {mount}, [&] {
    // move_mount(2) would say EINVAL, where mount(2) does not.
    struct statx found = {};
    if (statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_TYPE, &found) < 0) return -errno;
    if (!S_ISDIR(found.stx_mode)) return -ENOTDIR;
    const unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
    return move_mount(mount, "", AT_FDCWD, path.c_str(), flags) < 0 ? -errno : 0;
  });
}

}  // namespace coldread::fuse
