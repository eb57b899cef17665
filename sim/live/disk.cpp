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
  if (S_ISLNK(mode)) return "symlink";
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

Status add_object(const fs::path& path, const std::string& name, json* disk) {
  struct stat status;
  Result<json> entry = describe_entry(path, &status);
  if (!entry) return Error{entry.error()};
  if (S_ISREG(status.st_mode)) {
    Result<json> data = data_extents(path, status.st_size);
    if (!data) return Error{data.error()};
    (*entry)["size"] = status.st_size;
    (*entry)["data"] = std::move(*data);
  }
  (*disk)[name] = std::move(*entry);
  return Nothing{};
}

// One entry of cache/: a volume, unless somebody put something else there.
Status add_volume(const fs::path& path, const std::string& name, json* disk) {
  struct stat status;
  Result<json> entry = describe_entry(path, &status);
  if (!entry) return Error{entry.error()};
  size_t fanout = 0;
  std::error_code error;
  for (const auto& inner : fs::directory_iterator(path, error)) {
    const std::string inner_name = inner.path().filename();
    if (!is_fanout(inner_name)) {
      if (Status added = add_object(inner.path(), fmt::format("{}/{}", name, inner_name), disk);
          !added)
        return added;
      continue;
    }
    ++fanout;
    for (const auto& object : fs::directory_iterator(inner.path(), error)) {
      const std::string key =
          fmt::format("{}/{}/{}", name, inner_name, object.path().filename().string());
      if (Status added = add_object(object.path(), key, disk); !added) return added;
    }
  }
  if (S_ISDIR(status.st_mode)) (*entry)["fanout"] = fanout;
  (*disk)[name] = std::move(*entry);
  return Nothing{};
}

Result<json> describe(const fs::path& directory) {
  json disk = json::object();
  std::error_code error;
  for (const auto& volume : fs::directory_iterator(directory / "cache", error)) {
    const std::string name = "cache/" + volume.path().filename().string();
    if (Status added = add_volume(volume.path(), name, &disk); !added) return Error{added.error()};
  }
  if (fs::exists(directory / "graveyard", error)) {
    size_t buried = 0;
    for ([[maybe_unused]] const auto& entry :
         fs::directory_iterator(directory / "graveyard", error)) {
      ++buried;
    }
    disk["graveyard"] = {{"entries", buried}};
  }
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

}  // namespace coldread::live
