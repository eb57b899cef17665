// The cache's disk as others than cachefiles see and change it.
//
// Thread rules: change_disk() on a task's fiber; it never blocks.
#pragma once

#include <nlohmann/json.hpp>
#include <span>

#include "kernelmodel/kernel/kernel.h"
#include "sim/scenario/disk_call.h"
#include "sim/store/memory_store.h"

namespace coldread::sim {

// The cache in `directory` as Transcript::disk shows it: fan-out directories as a number, the
// graveyard as a count.
nlohmann::json describe_disk(MemoryStore& store, InodeNumber directory);

// 0 or a negative errno, see player::Syscalls::disk(). rmdir of a directory that cachefiles uses is
// -EBUSY (vfs_rmdir()).
int64_t change_disk(Kernel& k, MemoryStore& store, InodeNumber directory,
                    const scenario::DiskCall& call, std::span<const std::byte> contents,
                    nlohmann::json* entry);

}  // namespace coldread::sim
