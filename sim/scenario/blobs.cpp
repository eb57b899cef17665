#include "sim/scenario/blobs.h"

#include <algorithm>
#include <cstring>
#include <fstream>

namespace coldread::scenario {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBlobs = 1000;

enum Pattern : size_t { zeros, counter, noise };

void store_word(std::byte* to, uint64_t word, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to[i] = static_cast<std::byte>((word >> (8 * i)) & 0xff);
}

// splitmix64: small, well known and the same everywhere.
uint64_t next_noise(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::vector<std::byte> pattern_bytes(size_t pattern, uint64_t size, uint64_t seed) {
  std::vector<std::byte> bytes(size);
  if (pattern == zeros) return bytes;
  for (uint64_t at = 0; at < size; at += 8)
    store_word(&bytes[at], pattern == counter ? at / 8 : next_noise(seed),
               std::min<uint64_t>(8, size - at));
  return bytes;
}

// Relative and without "..": a scenario says which of the given directories' files it wants.
fs::path read_file_name(const Node& node) {
  fs::path path = node.string(1024);
  const bool climbs = std::find(path.begin(), path.end(), "..") != path.end();
  if (path.empty() || path.is_absolute() || climbs || path.native().find('\0') != std::string::npos)
    node.fail("a relative path without \"..\"");
  return path;
}

std::vector<std::byte> file_bytes(const Node& node, const fs::path& path, uint64_t budget) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) node.fail("a regular file", path.string());
  const uint64_t size = fs::file_size(path, error);
  if (error) node.fail("a readable file", path.string() + ": " + error.message());
  if (size > budget)
    node.fail("at most " + std::to_string(budget) + " bytes (1 GiB for all blobs together)",
              std::to_string(size));
  std::ifstream in(path, std::ios::binary);
  std::vector<std::byte> bytes(size);
  if (in)
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!in)
    node.fail("a readable file", path.string() + ": " + std::strerror(errno != 0 ? errno : EIO));
  return bytes;
}

// The bytes of `file`, looked for in all places; nothing and `unavailable` set if it is in none.
std::vector<std::byte> find_file(const std::string& blob, const Node& node,
                                 const BlobPlaces& places, uint64_t budget,
                                 std::string* unavailable) {
  const fs::path name = read_file_name(node);
  std::vector<fs::path> directories{places.scenario_directory};
  directories.insert(directories.end(), places.others.begin(), places.others.end());
  std::string looked_in;
  for (const fs::path& directory : directories) {
    const fs::path path = directory.empty() ? name : directory / name;
    std::error_code error;
    if (fs::exists(fs::status(path, error))) return file_bytes(node, path, budget);
    if (error && error != std::errc::no_such_file_or_directory &&
        error != std::errc::not_a_directory)
      node.fail("a readable file", path.string() + ": " + error.message());
    looked_in += (looked_in.empty() ? "" : ", ") + (directory.empty() ? "." : directory.string());
  }
  if (unavailable->empty())
    *unavailable = "blob \"" + blob + "\": no file \"" + name.string() + "\" in " + looked_in;
  return {};
}

}  // namespace

std::vector<Blob> read_blobs(const Node& node, const BlobPlaces& places, std::string* unavailable) {
  std::vector<Blob> blobs;
  uint64_t budget = places.most;
  for (const auto& [name, value] : node.named_members(kMaxBlobs)) {
    Blob blob;
    blob.name = name;
    Fields fields(value, "a blob");
    if (fields.first_of("file", "pattern")) {
      blob.bytes = find_file(name, fields.need("file"), places, budget, unavailable);
      budget -= blob.bytes.size();
    } else {
      const size_t pattern =
          fields.need("pattern").one_of({"zeros", "counter", "noise"}, "a pattern");
      const Node size_node = fields.need("size");
      const uint64_t size = size_node.number(kMaxBlobBytes);
      if (size > budget) size_node.fail("at most 1 GiB for all blobs together");
      budget -= size;
      const uint64_t seed = pattern == noise ? fields.number_or("seed", 0, UINT64_MAX) : 0;
      blob.bytes = pattern_bytes(pattern, size, seed);
    }
    fields.done();
    blobs.push_back(std::move(blob));
  }
  return blobs;
}

}  // namespace coldread::scenario
