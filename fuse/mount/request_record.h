// A request of the file system as a line of a recording, and back.
#pragma once

#include "fuse/mount/request.h"
#include "fuse/record/tape.h"

namespace coldread::fuse {

// What Job::record wants. `caller`: the name of who asks.
std::string record_of(Request& request, const std::string& caller);

// A request nobody waits for; null: the line is not of a known operation, or something is missing
// that it needs. `caller` is filled.
std::unique_ptr<Request> request_from(const Json& line, BufferPool& pool, std::string* caller);

}  // namespace coldread::fuse
