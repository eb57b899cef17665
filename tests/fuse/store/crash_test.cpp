// A process that dies while it fills the cache, between any two calls to the disk: whoever uses the
// cache next gets the right bytes, and no hole is taken for data.
#include <sys/wait.h>

#include <csignal>

#include "tests/fuse/store/model_cache.h"

namespace coldread::fuse {
namespace {

// Kills this process instead of making a call, counted from begin().
class Mortal final : public Offload {
 public:
  explicit Mortal(int last_call) : last_call_(last_call) {}

  void run(void (*function)(void*), void* argument) override {
    if (counting_ && calls_++ == last_call_) raise(SIGKILL);
    function(argument);
  }
  void begin() { counting_ = true; }

 private:
  int last_call_;
  bool counting_ = false;
  int calls_ = 0;
};

constexpr size_t kBlob = 40000;
constexpr const char* kVolume = "erofs,crash";

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
  static constexpr const char* kFirst = "first";
  static constexpr int kMaxSteps = 100;

  // Those of one step: a new object, and one that has a file with a name and some data.
  static std::string fresh(int step) { return "fresh " + std::to_string(step); }
  static std::string old(int step) { return "old " + std::to_string(step); }

  void SetUp() override {
    if (!directory_.has_user_xattrs()) GTEST_SKIP() << "no user xattrs here";
    Inline offload;
    run(offload, 0, kMaxSteps, [](ModelCache& model) {
      model.open_cookie(kFirst);
      for (int step = 0; step < kMaxSteps; ++step) read(model, old(step), 16384, 8192);
    });
  }

  // With the objects of some steps.
  void run(Offload& offload, int from, int to, const std::function<void(ModelCache&)>& body) {
    ModelCache::Blobs blobs = {{kFirst, blob_of(kFirst)}};
    for (int step = from; step < to; ++step)
      for (const std::string& key : {fresh(step), old(step)}) blobs[key] = blob_of(key);
    ModelCache model(offload, directory_.path(), GetParam().profile, blobs, GetParam().options);
    model.run([&] {
      model.acquire_volume(kVolume);
      body(model);
    });
  }

  static void read(ModelCache& model, const std::string& key, uint64_t offset, uint64_t length) {
    const std::string found = model.read(model.open_cookie(key), offset, length);
    EXPECT_TRUE(found == blob_of(key).substr(offset, length)) << key;
  }

  // Dies at a call, counted from when the volume has its directories; false: it did not.
  bool dies_at(int step) {
    const pid_t child = fork();
    if (child == 0) {
      Mortal offload(step);
      run(offload, step, step + 1, [&](ModelCache& model) {
        model.open_cookie(kFirst);
        offload.begin();
        read(model, fresh(step), 0, 32768);
        read(model, old(step), 0, 32768);
      });
      _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGKILL;
    EXPECT_EQ(WEXITSTATUS(status), 0);
    return false;
  }

  DiskDirectory directory_;
};

TEST_P(Crash, LeavesAValidCache) {
  int step = 0;
  for (bool dies = true; dies && step < kMaxSteps - 1; ++step) dies = dies_at(step);
  EXPECT_GT(step, 20);
  EXPECT_LT(step, kMaxSteps - 1) << "it never comes to its end";
  Inline offload;
  run(offload, 0, step, [step](ModelCache& model) {
    for (int at = 0; at < step; ++at)
      for (const std::string& key : {fresh(at), old(at)}) read(model, key, 0, kBlob / 4096 * 4096);
    EXPECT_GT(model.asked(), 0U);
  });
}

INSTANTIATE_TEST_SUITE_P(Ways, Crash,
                         testing::Values(Case{"Plain", "6.12.117", {}},
                                         Case{"NoTmpfile", "6.12.117", {.tmpfile = false}},
                                         Case{"Buffered", "6.12.117", {.direct = false}}),
                         [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace coldread::fuse
