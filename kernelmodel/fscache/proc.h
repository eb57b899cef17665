// The texts of /proc/fs/fscache.
#pragma once

#include <string>
#include <string_view>

#include "kernelmodel/kernel/kernel.h"

namespace coldread {

// What reading all of /proc/fs/fscache/FILE gives: 0, or -ENOENT (no such file in that kernel). The
// caller owns *text, which must outlive the call's stack: it may wait for a lock. Models
// fs/fscache/proc.c, stats.c and the seq_show functions (fs/netfs since 6.8).
int fscache_proc_read(Kernel& k, std::string_view file, std::string* text);

}  // namespace coldread
