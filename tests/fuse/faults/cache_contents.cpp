#include "tests/fuse/faults/cache_contents.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/fuse/faults/pattern.h"

namespace coldread::faults {
namespace {

namespace fs = std::filesystem;

constexpr size_t kAttributeHeader = 18;  // be64 size, be64 0, type, content
constexpr const char* kAttribute = "user.CacheFiles.cache";

void look_at_attribute(const fs::path& file, const std::string& key, CacheContents& contents) {
  unsigned char value[512];
  const ssize_t size = getxattr(file.c_str(), kAttribute, value, sizeof(value));
  uint64_t object_size = 0;
  for (int i = 0; i < 8; i++) object_size = object_size << 8 | value[i];
  if (size != static_cast<ssize_t>(kAttributeHeader) || object_size != size_of(key) ||
      value[16] != 1)
    contents.complaints.push_back(fmt::format(
        "{}: its attribute is not one of an object of {} bytes", file.string(), size_of(key)));
}

std::vector<Range> look_at_data(const fs::path& file, const Pattern& pattern,
                                CacheContents& contents) {
  std::vector<Range> result;
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  for (off_t from = 0; (from = lseek(fd, from, SEEK_DATA)) >= 0;) {
    const off_t to = lseek(fd, from, SEEK_HOLE);
    std::vector<std::byte> data(static_cast<size_t>(to - from));
    const bool whole = pread(fd, data.data(), data.size(), from) == to - from;
    const auto wrong = pattern.first_wrong(data, static_cast<uint64_t>(from));
    if (!whole || wrong)
      contents.complaints.push_back(
          fmt::format("{}: a byte that nobody wrote at {}", file.string(), wrong.value_or(0)));
    result.push_back({static_cast<uint64_t>(from), static_cast<uint64_t>(to)});
    from = to;
  }
  close(fd);
  return joined(std::move(result));
}

}  // namespace

std::vector<Range> joined(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.from < b.from; });
  std::vector<Range> result;
  for (const Range& range : ranges) {
    if (!result.empty() && range.from <= result.back().to)
      result.back().to = std::max(result.back().to, range.to);
    else
      result.push_back(range);
  }
  return result;
}

CacheContents look_at_cache(const std::string& directory) {
  CacheContents contents;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (!entry.is_regular_file() || !name.starts_with("D")) continue;
    const std::string key = name.substr(1);
    look_at_attribute(entry.path(), key, contents);
    contents.data[key] = look_at_data(entry.path(), Pattern(key), contents);
  }
  return contents;
}

}  // namespace coldread::faults
