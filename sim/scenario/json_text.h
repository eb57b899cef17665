// Strict JSON: parse errors with line and column, no member twice, no bottomless nesting.
//
// The JSON library keeps the last of two equal members and says nothing, which in a scenario would
// drop a whole task.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "sim/result.h"

namespace coldread::scenario {

inline constexpr size_t kMaxDepth = 64;

// Members keep the text's order. The error names "line L, column C" or the JSON pointer of the
// member, not the file.
Result<nlohmann::ordered_json> parse_json(std::string_view text);

// One step of a JSON pointer, escaped: "a/b" -> "/a~1b".
std::string pointer_token(std::string_view member);

}  // namespace coldread::scenario
