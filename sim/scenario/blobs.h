// The contents of a scenario's blobs: written out from a pattern or read from a real file.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/scenario/node.h"
#include "sim/scenario/scenario.h"

namespace coldread::scenario {

struct BlobPlaces {
  std::filesystem::path scenario_directory;
  std::vector<std::filesystem::path> others;
  uint64_t most = kMaxBlobBytes;  // bytes, of all blobs together
};

// "blobs" of a scenario. `unavailable` gets the first reason why one of them cannot be had here.
std::vector<Blob> read_blobs(const Node& node, const BlobPlaces& places, std::string* unavailable);

}  // namespace coldread::scenario
