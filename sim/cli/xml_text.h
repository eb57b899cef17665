// Any bytes as text inside XML: escaped, and valid UTF-8 whatever they were.
#pragma once

#include <string>
#include <string_view>

namespace coldread::cli {

// For attributes and elements alike. What XML 1.0 has no way to write becomes U+FFFD.
std::string xml_text(std::string_view bytes);

}  // namespace coldread::cli
