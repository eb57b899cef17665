// Paths as another process sees them: in its mount namespace, from its root and working directory.
//
// Each call has a thread of its own, which stands where the other one does and has none of our
// descriptors but those named: with /dev/fuse open it could wait for our own mounts beyond our end.
// Thread-safe; may block, on our own mounts too, so not on the host's thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace coldread::fuse {

// What `function` returns where `thread` stands, the descriptors `kept` being open there under
// their numbers. -ESRCH: it is gone; -EPERM: we may not go there, which takes CAP_SYS_ADMIN and
// CAP_SYS_CHROOT if it stands elsewhere.
int standing_where(pid_t thread, const std::vector<int>& kept,
                   const std::function<int()>& function);

// Whether it has our own mount namespace and root.
bool stands_where_we_do(pid_t thread);

// Whether mount(2) lets it in: CAP_SYS_ADMIN in our user namespace, or in the one that its mounts
// belong to.
bool may_mount(pid_t thread);

// The type of the mount that is on top of `path` there, as mountinfo has it ("fuse.erofs"); empty:
// there is no such path. A symbolic link at its end is followed if `follow`. `directory` is what a
// relative path begins at: one of our descriptors, or AT_FDCWD; an empty path is that itself.
std::string mount_type(pid_t thread, int directory, const std::string& path, bool follow);

}  // namespace coldread::fuse
