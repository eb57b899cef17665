// What a cache on the disk holds, found out without the model, while nobody uses it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coldread::faults {

struct Range {
  uint64_t from = 0, to = 0;  // bytes
  bool operator==(const Range&) const = default;
};
// Together, without those between; ordered.
std::vector<Range> joined(std::vector<Range> ranges);

struct CacheContents {
  std::map<std::string, std::vector<Range>> data;  // what is there of each object, by its key
  std::vector<std::string> complaints;  // bytes that are not the pattern's, broken attributes
};
// Objects whose keys have odd bytes are not looked at.
CacheContents look_at_cache(const std::string& directory);

}  // namespace coldread::faults
