#include "sim/cli/input_file.h"

#include <filesystem>

namespace coldread::cli {

Result<std::ifstream> open_input(const std::string& path) {
  if (std::filesystem::is_directory(path)) return Error{path + ": cannot be read: is a directory"};
  std::ifstream file(path);
  if (!file) return Error{path + ": cannot be read"};
  return file;
}

}  // namespace coldread::cli
