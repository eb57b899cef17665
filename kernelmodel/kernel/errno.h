// The errno values that exist only inside a kernel (include/linux/errno.h).
#pragma once

#include <cerrno>

namespace coldread {

// A killable wait ended by a fatal signal. Never reaches userspace: the killed task dies instead.
inline constexpr int ERESTARTSYS = 512;

}  // namespace coldread
