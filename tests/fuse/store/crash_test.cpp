// A process that dies while it fills the cache, before and after each call to the disk: whoever
// uses the cache next gets the right bytes, and no hole is taken for data.
#include <sys/wait.h>

#include <csignal>

#include "tests/fuse/store/model_cache.h"

namespace coldread::fuse {
namespace {

// Kills this process at a call, counted from begin().
class Mortal final : public Offload {
 public:
  Mortal(int last_call, bool after) : last_call_(last_call), after_(after) {}

  void run(void (*function)(void*), void* argument) override {
    const bool last = counting_ && calls_++ == last_call_;
    if (last && !after_) raise(SIGKILL);
    function(argument);
    if (last) raise(SIGKILL);
  }
  void begin() { counting_ = true; }

 private:
  int last_call_;
  bool after_;
  bool counting_ = false;
  int calls_ = 0;
};

constexpr size_t kBlob = 200000;
constexpr const char* kVolume = "erofs,crash";
constexpr const char* kFirst = "first";
constexpr int kMaxCalls = 300;

std::string blob_of(const std::string& key) {
  std::string bytes(kBlob, '\0');
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(1 + (i / 100 + key.size()) % 250);
  return bytes;
}

struct Case {
  const char* name;
  const char* profile;
  DirectoryStoreOptions options;
};

class Crash : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!directory_.has_user_xattrs()) GTEST_SKIP() << "no user xattrs here";
    Inline offload;
    fill(offload, "another", [] {});
  }

  void fill(Offload& offload, const std::string& key, const std::function<void()>& begin) {
    ModelCache model(offload, directory_.path(), GetParam().profile,
                     {{key, blob_of(key)}, {kFirst, blob_of(kFirst)}}, GetParam().options);
    model.run([&] {
      model.acquire_volume(kVolume);
      model.open_cookie(kFirst);  // the volume has its directories then
      begin();
      const CookieHandle cookie = model.open_cookie(key);
      EXPECT_EQ(model.read(cookie, 65536, 131072), blob_of(key).substr(65536, 131072));
    });
  }

  // False: it came to its end.
  bool dies_at(int call, bool after, const std::string& key) {
    const pid_t child = fork();
    if (child == 0) {
      Mortal offload(call, after);
      fill(offload, key, [&offload] { offload.begin(); });
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGKILL;
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return false;
  }

  // What the cache says is data is what the daemon wrote.
  void check(const std::vector<std::string>& keys) {
    Inline offload;
    ModelCache::Blobs blobs;
    for (const std::string& key : keys) blobs[key] = blob_of(key);
    ModelCache model(offload, directory_.path(), GetParam().profile, blobs, GetParam().options);
    model.run([&] {
      model.acquire_volume(kVolume);
      for (const std::string& key : keys) {
        const std::string found = model.read(model.open_cookie(key), 0, kBlob / 4096 * 4096);
        EXPECT_TRUE(found == blobs[key].substr(0, found.size())) << key;
        EXPECT_EQ(found.size(), kBlob / 4096 * 4096) << key;
      }
      EXPECT_GT(model.asked(), keys.size());
    });
  }

  DiskDirectory directory_;
};

TEST_P(Crash, LeavesAValidCache) {
  std::vector<std::string> keys;
  for (int call = 0; call < kMaxCalls; ++call) {
    for (const bool after : {false, true}) {
      const std::string key = "object " + std::to_string(call) + (after ? " after" : " before");
      if (!dies_at(call, after, key)) {
        EXPECT_GT(keys.size(), 20U);
        return check(keys);
      }
      keys.push_back(key);
    }
  }
  ADD_FAILURE() << "it never comes to its end";
}

INSTANTIATE_TEST_SUITE_P(Ways, Crash,
                         testing::Values(Case{"Plain", "6.12.117", {}},
                                         Case{"NoTmpfile", "6.12.117", {.tmpfile = false}},
                                         Case{"Buffered", "6.12.117", {.direct = false}}),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace coldread::fuse
