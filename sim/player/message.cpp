#include "sim/player/message.h"

#include <cstring>

#include "sim/scenario/scenario.h"

namespace coldread::player {
namespace {

constexpr size_t kHeader = 16;
constexpr size_t kOpenFixed = 32;
constexpr size_t kRead = 32;

// Host byte order, at the offsets of include/uapi/linux/cachefiles.h.
template <typename T>
T load(std::span<const std::byte> data, size_t offset) {
  T value;
  std::memcpy(&value, data.data() + offset, sizeof(value));
  return value;
}

bool decode_open(std::span<const std::byte> data, Message& message) {
  if (data.size() < kOpenFixed) return false;
  const auto volume_size = load<uint32_t>(data, 16);
  const auto cookie_size = load<uint32_t>(data, 20);
  message.fd = load<int32_t>(data, 24);
  message.flags = load<uint32_t>(data, 28);
  if (uint64_t{volume_size} + cookie_size != data.size() - kOpenFixed || volume_size == 0)
    return false;
  const auto volume = data.subspan(kOpenFixed, volume_size);
  if (volume.back() != std::byte{0}) return false;
  message.volume_key.assign(reinterpret_cast<const char*>(volume.data()), volume_size - 1);
  const auto cookie = data.subspan(kOpenFixed + volume_size);
  message.cookie_key.assign(cookie.begin(), cookie.end());
  return true;
}

}  // namespace

std::optional<Message> decode_message(std::span<const std::byte> data) {
  if (data.size() < kHeader) return std::nullopt;
  Message message;
  message.msg_id = load<uint32_t>(data, 0);
  message.opcode = load<uint32_t>(data, 4);
  message.len = load<uint32_t>(data, 8);
  message.object_id = load<uint32_t>(data, 12);
  if (message.len != data.size()) return std::nullopt;
  switch (message.opcode) {
    case kOpOpen:
      if (!decode_open(data, message)) return std::nullopt;
      return message;
    case kOpRead:
      if (data.size() != kRead) return std::nullopt;
      message.off = load<uint64_t>(data, 16);
      message.length = load<uint64_t>(data, 24);
      return message;
    case kOpClose:
      if (data.size() != kHeader) return std::nullopt;
      return message;
    default:
      return std::nullopt;
  }
}

nlohmann::json message_json(const Message& message) {
  static constexpr const char* kNames[] = {"OPEN", "CLOSE", "READ"};
  nlohmann::json json = {{"op", kNames[message.opcode]},
                         {"id", message.msg_id},
                         {"object", message.object_id},
                         {"len", message.len}};
  if (message.opcode == kOpOpen) {
    json["volume"] = scenario::key_text(std::as_bytes(std::span(message.volume_key)));
    json["cookie"] = scenario::key_text(message.cookie_key);
    json["fd"] = message.fd;
    json["flags"] = message.flags;
  } else if (message.opcode == kOpRead) {
    json["off"] = message.off;
    json["length"] = message.length;
  }
  return json;
}

}  // namespace coldread::player
