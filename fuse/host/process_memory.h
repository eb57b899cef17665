// The memory of a supervised process, read and written from outside.
//
// process_vm_readv() and process_vm_writev() respect the protection of pages: what would fault for
// the process faults here. What was read belongs to a process that may be gone: callers ask the
// Listener whether the call is still held before they believe it. Thread-safe. They may block, on
// our own mount too if the memory is a mapping of one of its files: helper threads call them.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace coldread::fuse {

// 0, -EFAULT (nothing or a part was copied), -ESRCH (the process is gone).
int read_memory(pid_t thread, uint64_t address, std::span<std::byte> to);
int write_memory(pid_t thread, uint64_t address, std::span<const std::byte> from);

// A path: the bytes up to a NUL, at most PATH_MAX - 1; nothing if there is none or it faults.
std::optional<std::string> read_path(pid_t thread, uint64_t address);

}  // namespace coldread::fuse
