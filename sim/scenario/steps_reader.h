// What the readers of all verbs work with: the step at hand and how its common members are read.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/scenario/errno_names.h"
#include "sim/scenario/node.h"
#include "sim/scenario/steps.h"

namespace coldread::scenario {

inline constexpr uint64_t kMaxObject = (uint64_t{1} << 63) - 1;  // sizes and offsets are loff_t
inline constexpr uint64_t kMaxMs = uint64_t{24} * 3600 * 1000;
inline constexpr uint64_t kPage = 4096;

// What a verb's reader works on.
struct Reader {
  Fields& fields;
  Step& step;
  Names& names;
  bool setup = false;  // there "task" is who acts

  int blob(const Node& node) const {
    return static_cast<int>(node.one_of(names.blobs, "the name of a blob"));
  }
  int64_t error_number(const Node& node) const {
    const auto number = errno_number(node.string(32));
    if (!number) node.fail("the name of an error (\"ENOENT\")");
    return *number;
  }
  void read_volume() const {
    step.volume =
        static_cast<int>(fields.need("volume").one_of(names.volumes, "the name of a volume"));
  }
  void read_cookie() const {
    step.cookie =
        static_cast<int>(fields.need("cookie").one_of(names.cookies, "the name of a cookie"));
  }
  void read_fd() const { step.fd = fields.name_or("fd", "dev"); }
  // "buffer": "bad"
  void read_buffer() const {
    if (const auto node = fields.find("buffer"))
      step.bad_buffer = node->one_of({"bad"}, "a kind of buffer") == 0;
  }
  void read_new_size(bool needed) const {
    if (needed)
      step.new_size = fields.need("new_size").number(kMaxObject);
    else if (const auto node = fields.find("new_size"))
      step.new_size = node->number(kMaxObject);
  }
  // "blob", "blob_offset" and the "length" that defaults to the blob's rest.
  void read_source(uint64_t default_offset) const {
    step.blob = blob(fields.need("blob"));
    step.blob_offset = fields.number_or("blob_offset", default_offset, UINT64_MAX);
    const uint64_t size = names.scenario->blobs[static_cast<size_t>(step.blob)].bytes.size();
    const uint64_t rest = step.blob_offset < size ? size - step.blob_offset : 0;
    if (const auto node = fields.find("length"))
      step.length = node->number(kMaxCallBytes);
    else if (rest > kMaxCallBytes)
      fields.node().fail("a \"length\" of at most 16 MiB", std::to_string(rest) + " bytes of blob");
    else
      step.length = rest;
  }
};

// One word per flag, each at most once; the values of all together.
uint32_t read_flags(const Node& node, const std::vector<std::string>& words,
                    const std::vector<uint32_t>& values);

struct VerbReader {
  Verb verb;
  void (*read)(Reader);
};
// By who calls: steps_daemon.cpp, steps_process.cpp, steps_netfs.cpp, steps_disk.cpp,
// steps_play.cpp. In the order of the enum.
std::span<const VerbReader> daemon_verbs();
std::span<const VerbReader> process_verbs();
std::span<const VerbReader> netfs_verbs();
std::span<const VerbReader> disk_verbs();
std::span<const VerbReader> play_verbs();

}  // namespace coldread::scenario
