// What somebody else does to the cache's disk, and to the kernel through /proc, as real system
// calls.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "sim/scenario/disk_call.h"

namespace coldread::live {

// 0 or a negative errno, see player::Syscalls::disk(). What was written is on the disk afterwards,
// so that the free space is as it will be. create, write and punch_hole have a descriptor open
// meanwhile: no other task of the process should be opening anything.
int64_t change_disk(const std::string& directory, const scenario::DiskCall& call,
                    std::span<const std::byte> contents, nlohmann::json* entry);

// Sets the kernel's error injection (scenario::kInject*); -ENOENT: it was built without.
int64_t inject_errors(uint32_t errors);

// All of a file of /proc: 0 or a negative errno.
int64_t read_proc(const std::string& path, std::string* text);

}  // namespace coldread::live
