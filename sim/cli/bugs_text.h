// The text of kernelmodel/bugs.json, made part of the program by embed_text.py.
#pragma once

#include <string_view>

namespace coldread::cli {

extern const std::string_view kBugsText;

}  // namespace coldread::cli
