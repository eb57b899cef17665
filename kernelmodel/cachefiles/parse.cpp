// The kernel's number syntax.
#include "kernelmodel/cachefiles/parse.h"

#include <cerrno>
#include <limits>

namespace coldread {
namespace {

unsigned digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return 16;
}

bool has_hex_prefix(std::string_view text) {
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
         digit_value(text[2]) < 16;
}

// Decides the base and takes the prefix off.
unsigned fix_base(std::string_view* text, unsigned base) {
  if (base == 0) {
    if (text->empty() || text->front() != '0') return 10;
    base = has_hex_prefix(*text) ? 16 : 8;
  }
  if (base == 16 && has_hex_prefix(*text)) text->remove_prefix(2);
  return base;
}

int parse_unsigned(std::string_view text, unsigned base, uint64_t* value) {
  base = fix_base(&text, base);
  uint64_t result = 0;
  bool overflow = false;
  size_t digits = 0;
  while (digits < text.size() && digit_value(text[digits]) < base) {
    const unsigned digit = digit_value(text[digits]);
    overflow = overflow || result > (std::numeric_limits<uint64_t>::max() - digit) / base;
    result = result * base + digit;
    digits++;
  }
  if (overflow) return -ERANGE;
  if (digits == 0) return -EINVAL;
  text.remove_prefix(digits);
  if (!text.empty() && text != "\n") return -EINVAL;
  *value = result;
  return 0;
}

}  // namespace

bool kernel_isspace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || static_cast<uint8_t>(c) == 0xa0;
}

int kstrtoul(std::string_view text, unsigned base, uint64_t* value) {
  if (!text.empty() && text.front() == '+') text.remove_prefix(1);
  return parse_unsigned(text, base, value);
}

int kstrtol(std::string_view text, unsigned base, int64_t* value) {
  uint64_t magnitude = 0;
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!text.empty() && text.front() == '-') {
    const int error = parse_unsigned(text.substr(1), base, &magnitude);
    if (error != 0) return error;
    if (magnitude > kMax + 1) return -ERANGE;
    *value = static_cast<int64_t>(0 - magnitude);
    return 0;
  }
  const int error = kstrtoul(text, base, &magnitude);
  if (error != 0) return error;
  if (magnitude > kMax) return -ERANGE;
  *value = static_cast<int64_t>(magnitude);
  return 0;
}

uint64_t simple_strtoul(std::string_view* text, unsigned base) {
  base = fix_base(text, base);
  uint64_t result = 0;
  while (!text->empty() && digit_value(text->front()) < base) {
    result = result * base + digit_value(text->front());
    text->remove_prefix(1);
  }
  return result;
}

}  // namespace coldread
