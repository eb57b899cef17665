// Options that take any number of 64 bits. CLI11 would take -1 for the largest of them, and what is
// larger as well.
#include <charconv>

#include "sim/cli/commands.h"

namespace coldread::cli {

CLI::Option* add_number(CLI::App& command, const std::string& name, const char* about,
                        const std::function<void(uint64_t)>& assign) {
  const auto parse = [name, assign](const std::string& word) {
    uint64_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, number);
    if (error != std::errc() || rest != end)
      throw CLI::ValidationError(name, "expected a number from 0 to 2^64 - 1, got " + word);
    assign(number);
  };
  return command.add_option_function<std::string>(name, parse, about);
}

}  // namespace coldread::cli
