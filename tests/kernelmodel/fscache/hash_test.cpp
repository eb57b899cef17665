// The hash that names fan-out directories on disk: values that real caches have.
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "kernelmodel/fscache/fscache.h"

namespace coldread {
namespace {

uint32_t hash_volume(std::string_view key) {
  std::vector<uint8_t> padded((1 + key.size() + 1 + 3) / 4 * 4);
  padded[0] = static_cast<uint8_t>(key.size());
  std::memcpy(padded.data() + 1, key.data(), key.size());
  return fscache_hash(0, padded);
}

uint32_t hash_cookie(uint32_t salt, std::string_view key) {
  std::vector<uint8_t> padded((key.size() + 3) / 4 * 4);
  std::memcpy(padded.data(), key.data(), key.size());
  return fscache_hash(salt, padded);
}

TEST(Hash, Volumes) {
  EXPECT_EQ(hash_volume("erofs,a"), 0xcc745fa5u);
  EXPECT_EQ(hash_volume("erofs,demo"), 0x6c05d1d5u);
  EXPECT_EQ(hash_volume("erofs,shared-domain"), 0x71ceed1au);
}

TEST(Hash, CookiesAreSaltedWithTheirVolume) {
  EXPECT_EQ(hash_cookie(0xcc745fa5u, "a"), 0xb1cdd417u);
  EXPECT_EQ(hash_cookie(0x6c05d1d5u, "demo"), 0xd1af85ddu);
  EXPECT_EQ(hash_cookie(0x6c05d1d5u, "blob0"), 0x13545873u);
  EXPECT_EQ(hash_cookie(0x71ceed1au, "layer-0001"), 0x4a69a931u);
}

}  // namespace
}  // namespace coldread
