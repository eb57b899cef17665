// The kernel's number and blank syntax, as the daemon's commands meet it.
//
// Models kstrtoul(), kstrtol() (lib/kstrtox.c), simple_strtoul() (lib/vsprintf.c) and isspace()
// (lib/ctype.c). Pure functions; `base` is 0 or 2..16.
#pragma once

#include <cstdint>
#include <string_view>

namespace coldread {

// ASCII blanks and 0xa0, which the kernel's classifier counts in.
bool kernel_isspace(char c);

// The whole text must be a number: optional '+', digits; base 0 takes 0x and a leading 0 for octal.
// One newline may follow. 0, -EINVAL, or -ERANGE on overflow; *value is set only by success.
int kstrtoul(std::string_view text, unsigned base, uint64_t* value);
int kstrtol(std::string_view text, unsigned base, int64_t* value);  // also '-'

// Takes digits as long as there are any and moves *text behind them; no digits: 0. Overflow goes
// unnoticed (modulo 2^64).
uint64_t simple_strtoul(std::string_view* text, unsigned base);

}  // namespace coldread
