// A UTF-8 check and five escapes.
#include "sim/cli/xml_text.h"

#include <cstdint>

namespace coldread::cli {
namespace {

// The length of the character at the front if XML allows it there, else 0.
size_t character_length(std::string_view bytes) {
  const auto first = static_cast<unsigned char>(bytes.front());
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' ? 1 : 0;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 0;
  if (length == 0 || length > bytes.size()) return 0;
  uint32_t point = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(bytes[i]);
    if ((next & 0xc0) != 0x80) return 0;
    point = point << 6 | (next & 0x3fu);
  }
  static constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  const bool allowed = point >= kSmallest[length] && point <= 0x10ffff && !surrogate &&
                       point != 0xfffe && point != 0xffff;
  return allowed ? length : 0;
}

std::string_view escape(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\n':
      return "&#10;";  // attributes would make a space of it
    case '\t':
      return "&#9;";
    default:
      return {};
  }
}

}  // namespace

std::string xml_text(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const size_t length = character_length(bytes);
    const std::string_view escaped = escape(bytes.front());
    out += length == 0 ? "\xef\xbf\xbd" : escaped.empty() ? bytes.substr(0, length) : escaped;
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace coldread::cli
