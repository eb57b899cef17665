// The names of objects on disk, for each of the encodings a key may get.
#include "tests/kernelmodel/cachefiles/bound_cache.h"

namespace coldread {
namespace {

class Keys : public BoundCache {
 protected:
  std::string cook(std::string_view key) {
    std::string name;
    const sim::RunEnd end = run([&] {
      int error = 0;
      const VolumeHandle volume = fscache_acquire_volume(kernel_, "v", "", {}, &error);
      const CookieHandle cookie = fscache_acquire_cookie(
          kernel_, volume, 0, std::as_bytes(std::span(key.data(), key.size())), {}, 0);
      const ObjectHandle object = kernel_.cachefiles.object_pool.create(kernel_);
      object->cookie = cookie;
      cachefiles_cook_key(object);
      name = object->name();
      kernel_.cachefiles.object_pool.destroy(object);
      fscache_relinquish_cookie(kernel_, cookie, false);
      fscache_relinquish_volume(kernel_, volume, {}, false);
    });
    if (end.kind != sim::RunEnd::Kind::finished) return std::string("report: ") + end.text;
    return name;
  }
};

TEST_F(Keys, PrintableOnesAreKept) {
  EXPECT_EQ(cook("demo"), "Ddemo");
  EXPECT_EQ(cook("a\x7f!~"), "Da\x7f!~");
  EXPECT_EQ(cook(std::string(252, 'x')), "D" + std::string(252, 'x'));
}

TEST_F(Keys, ShortHexWordsInEitherByteOrder) {
  EXPECT_EQ(cook(std::string("\0\0\0\1\0\0\0\2", 8)), "S1,2");
  EXPECT_EQ(cook(std::string("\1\0\0\0\2\0\0\0", 8)), "T1,2");
  EXPECT_EQ(cook(std::string("\0\0\0\0", 4)), "S");
  EXPECT_EQ(cook(" "), "T20");
}

TEST_F(Keys, TheRestIsBase64) {
  EXPECT_EQ(cook("\xff\x01\xfe\x02\xfd\x03\xfc\x04\xfb"), "E0-7w-2Q-0YjM_");
  EXPECT_EQ(cook("with/slash").front(), 'E');
}

TEST_F(Keys, TooLongForAName) {
  EXPECT_EQ(cook(std::string(253, 'x')), "report: BUG: key too long to cook");
}

}  // namespace
}  // namespace coldread
