// FUSE file systems made by the kernel's mount API in steps, so that they can be attached where
// another process stands, or be handed to it unattached.
//
// Thread-safe; may block. All but open_fuse_context() answer 0, or a descriptor where that is said,
// or a negative errno.
#pragma once

#include <sys/types.h>

#include <string>

namespace coldread::fuse {

// fsopen("fuse"): a descriptor, or a negative errno: -EPERM without CAP_SYS_ADMIN over our mount
// namespace, -ENOSYS before Linux 5.2.
int open_fuse_context();

// Creates the file system of a connection (an open /dev/fuse), read-only and of type fuse.erofs.
int create_erofs(int context, int connection, const std::string& source);

// Where it can be seen: unattached, as a descriptor. `attributes`: MOUNT_ATTR_*.
int mount_created(int context, unsigned attributes);

// Attaches what mount_created() gave to a path as `thread` sees it.
int attach_where(pid_t thread, int mount, const std::string& path);

}  // namespace coldread::fuse
