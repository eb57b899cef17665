// Members as name=value, messages of the device decoded.
#include "fuse/replay/line_text.h"

#include <fmt/core.h>

#include "sim/player/message.h"

namespace coldread::fuse {
namespace {

std::string value_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return text_of(value);
}

// A message that a daemon gets, if these bytes are one.
std::string message_text(const Json& bytes) {
  size_t length = 0;
  if (!bytes_length(bytes, &length) || length > kWhole) return {};
  std::vector<std::byte> message(length);
  restore_bytes(bytes, message);
  const auto decoded = player::decode_message(message);
  return decoded ? player::message_json(*decoded).dump() : std::string();
}

// All members but those.
std::string members_text(const Json& line, std::initializer_list<std::string_view> but) {
  std::string text;
  for (const auto& [key, value] : line.items()) {
    if (std::find(but.begin(), but.end(), key) != but.end()) continue;
    const std::string message = key == "bytes" ? message_text(value) : std::string();
    text += message.empty() ? fmt::format(" {}={}", key, value_text(value)) : " " + message;
  }
  return text;
}

}  // namespace

std::string input_text(const Json& line) {
  const std::string kind = value_text(line.value("in", Json()));
  if (kind == "done" || kind == "job" || kind == "timer") return {};
  const double seconds = static_cast<double>(line.value("at", uint64_t{0})) / 1e9;
  std::string text = fmt::format("{:>8} {:>12.6f}  ", line.value("step", uint64_t{0}), seconds);
  if (!line.contains("do")) return text + kind + members_text(line, {"step", "at", "in"});
  text += fmt::format("{}-{}: {}", value_text(line.value("as", Json())),
                      value_text(line.value("pid", Json())), value_text(line["do"]));
  return text + members_text(line, {"step", "at", "in", "as", "pid", "do"});
}

std::string answer_text(const Json& line) {
  if (!line.contains("out")) return {};
  return fmt::format("{:>23}{}{}", "", value_text(line.value("out", Json())),
                     members_text(line, {"out"}));
}

}  // namespace coldread::fuse
