// Walks directories for scenarios; the answer is the same wherever the filesystem's order differs.
#include "sim/cli/find_scenarios.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

bool is_scenario_name(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.ends_with(".json") && !name.ends_with(".schema.json");
}

Status collect_directory(const fs::path& directory, std::vector<std::string>& found) {
  std::error_code error;
  const size_t before = found.size();
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (is_scenario_name(entry->path()) && !entry->is_directory()) {
      found.push_back(entry->path().generic_string());
    }
  }
  if (error) return Error{fmt::format("{}: {}", directory.string(), error.message())};
  if (found.size() == before) {
    return Error{fmt::format("{}: no scenarios (*.json) below", directory.string())};
  }
  return Nothing{};
}

Status collect(const std::string& path, std::vector<std::string>& found) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return Error{fmt::format("{}: no such file or directory", path)};
  }
  if (error) return Error{fmt::format("{}: {}", path, error.message())};
  if (fs::is_directory(status)) return collect_directory(path, found);
  if (!fs::is_regular_file(status)) {
    return Error{fmt::format("{}: expected a scenario file or a directory of them", path)};
  }
  found.push_back(path);
  return Nothing{};
}

// The directory the program is in; empty if the system does not say.
fs::path program_directory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

}  // namespace

bool matches_filter(const std::string& path, const std::string& filter) {
  if (filter.find_first_of("*?[") == std::string::npos) {
    return path.find(filter) != std::string::npos;
  }
  // A glob may leave out the directories above.
  return fnmatch(filter.c_str(), path.c_str(), 0) == 0 ||
         fnmatch(("*/" + filter).c_str(), path.c_str(), 0) == 0;
}

Result<std::string> default_scenarios() {
  const fs::path here = program_directory();
  std::vector<fs::path> places = {"scenarios"};
  if (!here.empty()) {
    places.push_back(here.parent_path() / "share/coldread/scenarios");
    places.push_back(here.parent_path() / "scenarios");
  }
  for (const fs::path& place : places) {
    std::error_code error;
    if (fs::is_directory(place, error)) return place.string();
  }
  return Error{"no scenarios directory here and none installed: name files or directories"};
}

std::vector<std::string> made_blob_directories() {
  const fs::path here = program_directory();
  if (here.empty()) return {};
  return {(here / "scenarios/blobs").string(),
          (here.parent_path() / "share/coldread/scenarios/blobs").string()};
}

Result<std::vector<std::string>> find_scenarios(const std::vector<std::string>& paths,
                                                const std::string& filter) {
  std::vector<std::string> roots = paths;
  if (roots.empty()) {
    Result<std::string> standard = default_scenarios();
    if (!standard) return Error{standard.error()};
    roots.push_back(*standard);
  }
  std::vector<std::string> found;
  for (const std::string& path : roots) {
    if (Status status = collect(path, found); !status) return Error{status.error()};
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::erase_if(found, [&](const std::string& path) { return !matches_filter(path, filter); });
  if (found.empty()) return Error{fmt::format("--filter {}: matches no scenario", filter)};
  return found;
}

}  // namespace coldread::cli
