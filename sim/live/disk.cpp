#include "sim/live/disk.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "sim/scenario/scenario.h"

namespace coldread::live {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kXattr = "user.CacheFiles.cache";  // of objects and of volumes

Error failed(const fs::path& path, const char* what) {
  return Error{fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno))};
}

bool is_fanout(const std::string& name) {
  return name.size() == 3 && name[0] == '@';
}

const char* type_name(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  return "other";
}

std::string hex_of(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

// Type, mode and xattr: what every entry has.
Result<json> describe_entry(const fs::path& path, struct stat* status) {
  if (lstat(path.c_str(), status) < 0) return failed(path, "cannot be looked at");
  json entry = {{"type", type_name(status->st_mode)},
                {"mode", fmt::format("{:04o}", status->st_mode & 07777)},
                {"xattr", nullptr}};
  std::array<unsigned char, 1024> value;
  const ssize_t length = lgetxattr(path.c_str(), kXattr, value.data(), value.size());
  if (length >= 0) {
    entry["xattr"] = hex_of(std::span(value).first(static_cast<size_t>(length)));
  } else if (errno != ENODATA && errno != ENOTSUP) {
    return failed(path, "no xattr can be read");
  }
  return entry;
}

Result<json> data_extents(const fs::path& path, off_t size) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed(path, "cannot be opened");
  json extents = json::array();
  off_t from = 0;
  while (from < size && (from = lseek(fd, from, SEEK_DATA)) >= 0) {
    const off_t to = lseek(fd, from, SEEK_HOLE);
    if (to < 0) break;
    extents.push_back({from, to});
    from = to;
  }
  close(fd);
  return extents;
}

// Whatever a path leads to, without following it.
Result<json> describe_object(const fs::path& path, struct stat* status) {
  Result<json> entry = describe_entry(path, status);
  if (!entry || !S_ISREG(status->st_mode)) return entry;
  Result<json> data = data_extents(path, status->st_size);
  if (!data) return Error{data.error()};
  (*entry)["size"] = status->st_size;
  (*entry)["data"] = std::move(*data);
  return entry;
}

size_t count_entries(const fs::path& directory) {
  std::error_code error;
  const fs::directory_iterator entries(directory, error);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

// Everything below cache/, fan-out directories as a number.
Status add_tree(const fs::path& directory, json* disk) {
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(directory / "cache", error);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const fs::path& path = entry->path();
    const std::string name = path.lexically_relative(directory);
    struct stat status;
    Result<json> described = describe_object(path, &status);
    if (!described) return Error{described.error()};
    if (S_ISDIR(status.st_mode) && entry.depth() == 0) (*described)["fanout"] = 0;
    if (S_ISDIR(status.st_mode) && entry.depth() == 1 && is_fanout(path.filename())) {
      json& fanout = (*disk)[fs::path(name).parent_path()]["fanout"];
      fanout = fanout.get<int>() + 1;
      continue;
    }
    (*disk)[name] = std::move(*described);
  }
  return Nothing{};
}

Result<json> describe(const fs::path& directory) {
  json disk = json::object();
  if (Status added = add_tree(directory, &disk); !added) return Error{added.error()};
  std::error_code error;
  if (fs::exists(directory / "graveyard", error))
    disk["graveyard"] = {{"entries", count_entries(directory / "graveyard")}};
  return disk;
}

}  // namespace

Result<json> describe_disk(const fs::path& directory) {
  try {
    return describe(directory);
  } catch (const fs::filesystem_error& error) {
    return Error{error.what()};
  }
}

Result<json> describe_path(const fs::path& path) {
  struct stat status;
  Result<json> entry = describe_object(path, &status);
  if (entry && S_ISDIR(status.st_mode)) (*entry)["entries"] = count_entries(path);
  return entry;
}

}  // namespace coldread::live
