// The text of scenarios/scenario.schema.json, made part of the program by embed_text.py.
#pragma once

#include <string_view>

namespace coldread::cli {

extern const std::string_view kSchemaText;

}  // namespace coldread::cli
