// A task's records on their way out of a process that may be killed at any moment.
//
// Every record is written at once, when it is begun and again as it grows, as one line of JSON with
// its index; the last line of an index counts. A line that was cut off is ignored.
#pragma once

#include <string_view>
#include <vector>

#include "sim/player/transcript.h"

namespace coldread::live {

// Writes one line; never fails visibly, there is nobody to tell.
void write_record(int fd, size_t index, const player::Record& record);

std::vector<player::Record> read_records(std::string_view log);

}  // namespace coldread::live
