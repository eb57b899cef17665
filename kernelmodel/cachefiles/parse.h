// The kernel's number and blank syntax, as the daemon's commands meet it.
//
// Models kstrtoul(), kstrtol() (lib/kstrtox.c), simple_strtoul() and isspace() (lib/ctype.c).
#pragma once

#include <cstdint>
#include <string_view>

namespace coldread {

// ASCII blanks and 0xa0, which the kernel's classifier counts in.
bool kernel_isspace(char c);

// The whole text must be a number: optional '+', digits; base 0 takes 0x and a leading 0 for octal.
// One newline may follow. 0, -EINVAL, or -ERANGE on overflow.
int kstrtoul(std::string_view text, unsigned base, uint64_t* value);
int kstrtol(std::string_view text, unsigned base, int64_t* value);  // also '-'

// Takes digits as long as there are any, without noticing overflow, and moves *text behind them.
uint64_t simple_strtoul(std::string_view* text, unsigned base);

}  // namespace coldread
