#include "sim/cli/served_mounts.h"

#include <fstream>
#include <sstream>

namespace coldread::cli {
namespace {

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

// Blanks, tabs, newlines and backslashes stand there as \ and three octal digits.
std::string unescaped(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); i++) {
    const bool escape = text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) &&
                        is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!escape) {
      result += text[i];
      continue;
    }
    result +=
        static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
    i += 3;
  }
  return result;
}

}  // namespace

std::vector<std::string> served_mounts(std::istream& mountinfo) {
  std::vector<std::string> found;
  for (std::string line; std::getline(mountinfo, line);) {
    // Fields: id, parent, device, root, mountpoint, options of any number, "-", type.
    std::istringstream words(line);
    std::string word, where;
    for (int i = 0; i < 5; i++) words >> where;
    while (words >> word && word != "-") {
    }
    if (words >> word && word == "fuse.coldread") found.push_back(unescaped(where));
  }
  return found;
}

std::vector<std::string> served_mounts() {
  std::ifstream mountinfo("/proc/self/mountinfo");
  return served_mounts(mountinfo);
}

}  // namespace coldread::cli
