#include "sim/recordings/recordings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace coldread::recordings {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Error bad(const std::string& path, size_t line, const char* expected) {
  return Error{fmt::format("{}:{}: expected {}", path, line, expected)};
}

// Beside the file first: a full disk never leaves half of one.
Status write_whole(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".new";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  std::error_code error;
  if (out) fs::rename(beside, path, error);
  if (out && !error) return Nothing{};
  const std::string why = error ? error.message() : std::strerror(errno != 0 ? errno : EIO);
  fs::remove(beside, error);
  return Error{fmt::format("{}: {}", path.string(), why)};
}

}  // namespace

void Recording::add(json transcript) {
  const auto text_before = [](const json& a, const json& b) { return a.dump() < b.dump(); };
  const auto place = std::lower_bound(seen.begin(), seen.end(), transcript, text_before);
  if (place == seen.end() || *place != transcript) seen.insert(place, std::move(transcript));
}

std::string scenario_name(const std::string& path) {
  const fs::path file = fs::absolute(path).lexically_normal();
  return (file.parent_path().filename() / file.stem()).generic_string();
}

Result<Recordings> Recordings::load(const std::string& directory) {
  Recordings recordings;
  recordings.directory_ = directory;
  std::error_code error;
  if (!fs::exists(directory, error)) return recordings;
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(directory, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error))
    if (entry->path().extension() == ".jsonl") files.push_back(entry->path());
  if (error) return Error{fmt::format("{}: {}", directory, error.message())};
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const Status read = recordings.read_file(file.string(), file.parent_path().filename().string(),
                                             file.stem().string());
    if (!read) return Error{read.error()};
    recordings.files_.push_back(file.string());
  }
  return recordings;
}

Status Recordings::read_file(const std::string& path, const std::string& profile,
                             const std::string& folder) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error{fmt::format("{}: {}", path, std::strerror(errno))};
  std::string text;
  for (size_t line = 1; std::getline(in, text); ++line) {
    json object = json::parse(text, nullptr, false);
    if (!object.is_object() || !object.contains("scenario") || !object["scenario"].is_string() ||
        !object.contains("digest") || !object["digest"].is_string())
      return bad(path, line, "an object with \"scenario\", \"digest\" and \"seen\"");
    if (!object.contains("seen") || !object["seen"].is_array() || object["seen"].empty())
      return bad(path, line, "\"seen\": an array with at least one transcript");
    Recording recording{object["digest"].get<std::string>(), {}};
    for (json& transcript : object["seen"]) recording.add(std::move(transcript));
    put(profile, folder + "/" + object["scenario"].get<std::string>(), std::move(recording));
  }
  return Nothing{};
}

const Recording* Recordings::find(const std::string& profile, const std::string& name) const {
  const auto of_profile = by_profile_.find(profile);
  if (of_profile == by_profile_.end()) return nullptr;
  const auto found = of_profile->second.find(name);
  return found == of_profile->second.end() ? nullptr : &found->second;
}

void Recordings::put(const std::string& profile, const std::string& name, Recording recording) {
  by_profile_[profile][name] = std::move(recording);
}

void Recordings::keep_only(const std::vector<std::string>& names) {
  for (auto& [profile, recorded] : by_profile_)
    std::erase_if(recorded, [&](const auto& entry) {
      return std::find(names.begin(), names.end(), entry.first) == names.end();
    });
}

Status Recordings::save() const {
  std::map<fs::path, std::string> texts;
  for (const auto& [profile, recorded] : by_profile_) {
    for (const auto& [name, recording] : recorded) {
      const fs::path place = name;
      const json line = {{"scenario", place.filename().string()},
                         {"digest", recording.digest},
                         {"seen", recording.seen}};
      const fs::path file =
          fs::path(directory_) / profile / (place.parent_path().string() + ".jsonl");
      texts[file] += line.dump() + "\n";
    }
  }
  for (const auto& [file, text] : texts) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) return Error{fmt::format("{}: {}", file.string(), error.message())};
    if (Status written = write_whole(file, text); !written) return written;
  }
  for (const std::string& file : files_) {
    std::error_code error;
    if (!texts.contains(file)) fs::remove(file, error);
  }
  return Nothing{};
}

}  // namespace coldread::recordings
