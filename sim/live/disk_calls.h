// What somebody else does to the cache's disk, as real system calls.
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

}  // namespace coldread::live
