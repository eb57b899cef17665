// The names of Linux' error numbers: how scenarios and transcripts write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace coldread {

// -105 -> "ENOBUFS"; a number without a name gives "E" and the number: -4000 -> "E4000".
std::string errno_name(int64_t negative_errno);

// "ENOBUFS" -> 105; nothing for a word that is not the name of an error.
std::optional<int> errno_number(std::string_view name);

}  // namespace coldread
