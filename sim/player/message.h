// The messages a daemon reads from /dev/cachefiles: struct cachefiles_msg and what follows it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace coldread::player {

enum Opcode : uint32_t { kOpOpen = 0, kOpClose = 1, kOpRead = 2 };

// READ_COMPLETE, the ioctl on an object's file: _IOW(0x98, 1, int).
inline constexpr uint32_t kReadComplete = 0x40049801;

struct Message {
  uint32_t msg_id = 0, opcode = 0, len = 0, object_id = 0;
  std::string volume_key;             // OPEN; without its NUL
  std::vector<std::byte> cookie_key;  // OPEN
  int32_t fd = -1;                    // OPEN
  uint32_t flags = 0;                 // OPEN
  uint64_t off = 0, length = 0;       // READ
};

// Nothing unless `data` is exactly one well-formed message.
std::optional<Message> decode_message(std::span<const std::byte> data);

// As transcripts show it.
nlohmann::json message_json(const Message& message);

}  // namespace coldread::player
