// The seccomp filter of a supervised program: which of its system calls are looked at.
//
// Looked at are
//   open, openat with O_RDWR, openat2     the device is opened for reading and writing; a path
//                                         cannot be seen by a filter, nor can openat2's flags
//   read on a watched number              a message is delivered, and OPEN brings a descriptor
//   dup, dup2, dup3, fcntl(F_DUPFD*)      of a watched number: the copy must be watched too
//   ioctl with READ_COMPLETE              FUSE would take the id, passed by value, for an address
// With WatchedRange::all, for programs that must not see a difference, at any number: every open,
// read, lseek and ioctl, and each write of no bytes; no dup.
//   mount, umount2, fsopen, fspick,       images are mounted on demand; all of them are rare
//   fsconfig, syslog
// All others run as if there were no filter. write, poll, lseek and close are native calls on a
// FUSE file and reach the server by themselves. Calls of another ABI (32 bits, x32) are not looked
// at.
#pragma once

#include <linux/filter.h>

#include <vector>

#include "fuse/supervisor/watched_range.h"
#include "sim/result.h"

namespace coldread::fuse {

// The program for seccomp(2), for this machine's own ABI. The error says what libseccomp refused.
Result<std::vector<sock_filter>> make_filter(WatchedRange range);

}  // namespace coldread::fuse
