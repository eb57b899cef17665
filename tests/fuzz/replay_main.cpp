// The main() of a target without libFuzzer: plays each file it is given, and those in directories,
// in order of their names. --seconds N plays them over and over for so long and says how many
// inputs a second that are. Anything else that begins with a dash is refused.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

#include "tests/fuzz/target.h"

namespace {

namespace fs = std::filesystem;

using Input = std::vector<uint8_t>;
struct File {
  std::string path;
  Input bytes;
};

void add(const fs::path& path, std::vector<File>* files) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fmt::print(stderr, "{}: cannot be read\n", path.string());
    std::exit(2);
  }
  files->push_back({path.string(), Input(std::istreambuf_iterator<char>(file), {})});
}

std::vector<File> load(const std::vector<std::string>& names) {
  std::vector<File> files;
  for (const std::string& name : names) {
    if (!fs::is_directory(name)) {
      add(name, &files);
      continue;
    }
    std::vector<fs::path> inside;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(name))
      if (entry.is_regular_file()) inside.push_back(entry.path());
    std::sort(inside.begin(), inside.end());
    for (const fs::path& path : inside) add(path, &files);
  }
  return files;
}

// Processor time would not tell of swapping; the machine should be quiet.
void play_for(double seconds, const std::vector<File>& files) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  uint64_t played = 0;
  do {
    for (const File& file : files) LLVMFuzzerTestOneInput(file.bytes.data(), file.bytes.size());
    played += files.size();
  } while (elapsed() < seconds);
  fmt::print("{:.0f} inputs a second, {} inputs in {:.1f} s\n",
             static_cast<double>(played) / elapsed(), played, elapsed());
}

[[noreturn]] void usage(const char* program) {
  fmt::print(stderr,
             "usage: {} [--kernel PROFILE] [--with CHANGE] [--without CHANGE] [--seconds N] "
             "FILE|DIRECTORY...\n",
             program);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  coldread::fuzz::take_options(&argc, argv);
  std::vector<std::string> names;
  double seconds = 0;
  for (int i = 1; i < argc; i++) {
    const std::string_view argument = argv[i];
    if (argument == "--seconds" && i + 1 < argc)
      seconds = std::atof(argv[++i]);
    else if (argument.starts_with('-'))
      usage(argv[0]);
    else
      names.emplace_back(argument);
  }
  const std::vector<File> files = load(names);
  if (files.empty()) usage(argv[0]);
  if (seconds > 0) {
    play_for(seconds, files);
    return 0;
  }
  for (const File& file : files) {
    fmt::print("{}\n", file.path);
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(file.bytes.data(), file.bytes.size());
  }
  fmt::print("{} inputs\n", files.size());
  return 0;
}
