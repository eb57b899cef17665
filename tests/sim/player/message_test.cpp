// Messages are decoded from the bytes that include/uapi/linux/cachefiles.h describes, and nothing
// else is taken for one.
#include "sim/player/message.h"

#include <gtest/gtest.h>

#include "sim/scenario/scenario.h"
#include "tests/sim/player/fake_syscalls.h"

namespace coldread::player {
namespace {

std::optional<Message> decode(const std::string& bytes) {
  return decode_message(std::as_bytes(std::span(bytes)));
}

TEST(Message, Open) {
  // Written out by hand: id 7, OPEN, 43 bytes, object 2, 8 + 3 bytes of keys, fd 5, no flags.
  const std::string bytes(
      "\x07\0\0\0\0\0\0\0\x2b\0\0\0\x02\0\0\0"
      "\x08\0\0\0\x03\0\0\0\x05\0\0\0\0\0\0\0"
      "erofs,v\0k\xffy",
      43);
  const auto message = decode(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->msg_id, 7u);
  EXPECT_EQ(message->opcode, kOpOpen);
  EXPECT_EQ(message->object_id, 2u);
  EXPECT_EQ(message->fd, 5);
  EXPECT_EQ(message_json(*message).dump(),
            R"({"cookie":"hex:6bff79","fd":5,"flags":0,"id":7,"len":43,"object":2,"op":"OPEN",)"
            R"("volume":"erofs,v"})");
  EXPECT_EQ(bytes.substr(32, 8).size(), 8u);
}

TEST(Message, Read) {
  const std::string bytes(
      "\x01\0\0\0\x02\0\0\0\x20\0\0\0\x03\0\0\0"
      "\0\x10\0\0\0\0\0\0\0\0\x02\0\0\0\0\0",
      32);
  const auto message = decode(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message_json(*message).dump(),
            R"({"id":1,"len":32,"length":131072,"object":3,"off":4096,"op":"READ"})");
}

TEST(Message, Close) {
  const auto message = decode(close_bytes(9, 0xffffffff));
  ASSERT_TRUE(message);
  EXPECT_EQ(message_json(*message).dump(), R"({"id":9,"len":16,"object":4294967295,"op":"CLOSE"})");
}

TEST(Message, LargestAndEmptyKeys) {
  const auto largest = decode(open_bytes(0, 1, std::string(255, 'v'), std::string(255, 'k'), 4));
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->len, 543u);
  EXPECT_EQ(largest->volume_key.size(), 255u);
  const auto empty = decode(open_bytes(0, 1, "", "", 4));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->volume_key, "");
  EXPECT_TRUE(empty->cookie_key.empty());
}

TEST(Message, AnythingElseIsNone) {
  for (const std::string& whole :
       {open_bytes(1, 1, "v", "k", 4), read_bytes(1, 1, 0, 4096), close_bytes(1, 1)}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(decode(whole.substr(0, size)));
      std::string shortened = whole.substr(0, size);  // even with a length that fits
      if (size >= 16) shortened[8] = static_cast<char>(size);
      EXPECT_FALSE(decode(shortened)) << size;
    }
    EXPECT_FALSE(decode(whole + "x"));
  }
  EXPECT_FALSE(decode("cull=0 frun=7 fcull=5 fstop=1"));
  EXPECT_FALSE(decode(header(1, 3, 16, 1)));
  EXPECT_FALSE(decode(header(1, kOpClose, 17, 1)));  // a length that is not its own
  std::string huge = open_bytes(1, 1, "v", "k", 4);
  huge[19] = huge[23] = '\x80';  // key sizes whose sum wraps at 32 bits
  EXPECT_FALSE(decode(huge));
  std::string unterminated = open_bytes(1, 1, "v", "k", 4);
  unterminated[33] = 'x';
  EXPECT_FALSE(decode(unterminated));
}

TEST(Keys, AsText) {
  const auto text = [](const std::string& key) {
    return scenario::key_text(std::as_bytes(std::span(key)));
  };
  EXPECT_EQ(text("blob 0~"), "blob 0~");
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text(std::string("\0", 1)), "hex:00");
  EXPECT_EQ(text("\x7f"), "hex:7f");
  EXPECT_EQ(text("hex:00"), "hex:6865783a3030");
}

}  // namespace
}  // namespace coldread::player
