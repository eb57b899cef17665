// One cache directory for both: what the model with its store leaves there a real kernel reads
// without asking anybody, and the other way round.
//
// The tests of suite InGuest run inside a booted kernel, as its first process' work, where the
// model can use the same disk as that kernel; the test outside boots it and shows what they said.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "sim/live/conductor.h"
#include "sim/live/disk.h"
#include "sim/live/guest_machine.h"
#include "sim/scenario/loader.h"
#include "tests/fuse/store/model_cache.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::fuse {
namespace {

constexpr int kSkipped = 77;  // as build systems know it
constexpr int kLimitMs = 100'000;

std::string guest_directory;  // in a guest: the host's directory for it

// --- in the guest ---

const std::string kVolume = "erofs,interoperability";
// Keys whose names on the disk are made in different ways.
const std::vector<std::string> kKeys = {"demo", std::string(200, 'k'), "\u00ff\u00e9\u221a\u2202"};
constexpr size_t kBlob = 300000;
struct Range {
  uint64_t offset;
  uint64_t length;
};
constexpr Range kRanges[] = {{0, 131072}, {262144, 4096}};

// The pattern "counter" of scenarios.
std::string counter() {
  std::string bytes(kBlob, '\0');
  for (size_t i = 0; i < kBlob / 8; ++i) {
    const uint64_t word = i;
    std::memcpy(bytes.data() + i * 8, &word, sizeof(word));
  }
  return bytes;
}

ModelCache::Blobs blobs() {
  ModelCache::Blobs found;
  for (const std::string& key : kKeys) found[key] = counter();
  return found;
}

nlohmann::json scenario_text() {
  nlohmann::json cookies;
  nlohmann::json served;
  nlohmann::json reader = nlohmann::json::array();
  for (size_t i = 0; i < kKeys.size(); ++i) {
    const std::string name = "c" + std::to_string(i);
    cookies[name] = {{"volume", "v"}, {"key", kKeys[i]}};
    served[scenario::key_text(std::as_bytes(std::span(kKeys[i])))] = "b";
    reader.push_back({{"do", "connect"}, {"cookie", name}});
    for (const Range& range : kRanges)
      reader.push_back({{"do", "read"},
                        {"cookie", name},
                        {"offset", range.offset},
                        {"length", range.length},
                        {"expect", range.length}});
    reader.push_back({{"do", "disconnect"}, {"cookie", name}});
  }
  return {{"version", 1},
          {"title", "Three objects, read in parts"},
          {"kernels", {"6.1.192", "6.12.117"}},
          {"blobs", {{"b", {{"pattern", "counter"}, {"size", kBlob}}}}},
          {"volumes", {{"v", {{"key", kVolume}}}}},
          {"cookies", cookies},
          {"setup", {{{"task", "daemon"}, {"do", "bind"}}}},
          {"tasks", {{"daemon", {{{"do", "serve"}, {"blobs", served}}}}, {"reader", reader}}}};
}

std::string release() {
  utsname name{};
  uname(&name);
  return name.release;
}

// With O_DIRECT and without.
class InGuest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (guest_directory.empty()) GTEST_SKIP() << "runs in a guest only";
    ASSERT_EQ(mount("/dev/ubda", disk_.c_str(), "ext4", 0, ""), 0) << strerror(errno);
    ASSERT_EQ(mkdir(cache_.c_str(), 0755), 0);
  }
  void TearDown() override {
    if (guest_directory.empty()) return;
    std::filesystem::remove_all(cache_);
    EXPECT_EQ(umount(disk_.c_str()), 0) << strerror(errno);
  }

  // Reads everything through the running kernel's own cache.
  player::Transcript read_by_kernel() {
    const std::string path = guest_directory + "/out/scenario.json";
    std::ofstream(path) << scenario_text().dump();
    auto scenario = scenario::load_file(path);
    if (!scenario) {
      ADD_FAILURE() << scenario.error();
      return {};
    }
    const int netfs = live::move_up(::open(COLDREAD_NETFS_DEVICE, O_RDWR | O_CLOEXEC));
    auto played =
        live::play_scenario(*scenario, {cache_, guest_directory + "/work", netfs, 5000, {}});
    close(netfs);
    if (!played) {
      ADD_FAILURE() << played.error();
      return {};
    }
    EXPECT_FALSE(played->transcript.report) << played->transcript.to_json().dump(1);
    return played->transcript;
  }

  // Reads everything through the model; how often the daemon was asked.
  size_t read_by_model() {
    ModelCache model(offload_, cache_, kernel_.c_str(), blobs(), {.direct = GetParam()});
    model.run([&model] {
      model.acquire_volume(kVolume);
      for (const std::string& key : kKeys) {
        const CookieHandle cookie = model.open_cookie(key);
        for (const Range& range : kRanges) {
          EXPECT_EQ(model.read(cookie, range.offset, range.length),
                    counter().substr(range.offset, range.length));
        }
      }
    });
    return model.asked();
  }

  static std::vector<std::string> operations(const player::Transcript& transcript) {
    std::vector<std::string> found;
    for (const auto& message : transcript.messages()) found.push_back(message["op"]);
    return found;
  }
  static std::vector<nlohmann::json> data_read(const player::Transcript& transcript) {
    std::vector<nlohmann::json> found;
    const auto reader = transcript.tasks.find("reader");
    if (reader == transcript.tasks.end()) return found;
    for (const auto& record : reader->second)
      if (record.contains("data")) found.push_back(record["data"]);
    return found;
  }
  nlohmann::json described() {
    auto description = live::describe_disk(cache_);
    EXPECT_TRUE(description) << description.error();
    return *description;
  }

  const std::string disk_ = guest_directory + "/cache";
  const std::string cache_ = disk_ + "/c";
  const std::string kernel_ = release().substr(0, release().find_first_not_of("0123456789."));
  Inline offload_;
};

constexpr size_t kReads = std::size(kRanges);

TEST_P(InGuest, TheKernelReadsWhatTheModelFetched) {
  EXPECT_EQ(read_by_model(), kKeys.size() * kReads);
  const player::Transcript warm = read_by_kernel();
  EXPECT_EQ(operations(warm),
            (std::vector<std::string>{"OPEN", "CLOSE", "OPEN", "CLOSE", "OPEN", "CLOSE"}));
  std::filesystem::remove_all(cache_);
  ASSERT_EQ(mkdir(cache_.c_str(), 0755), 0);
  const player::Transcript cold = read_by_kernel();
  EXPECT_EQ(operations(cold).size(), kKeys.size() * (kReads + 2));
  EXPECT_EQ(data_read(warm).size(), kKeys.size() * kReads);
  EXPECT_EQ(data_read(warm), data_read(cold));
}

TEST_P(InGuest, TheModelReadsWhatTheKernelFetched) {
  EXPECT_EQ(operations(read_by_kernel()).size(), kKeys.size() * (kReads + 2));
  EXPECT_EQ(read_by_model(), 0U);
}

TEST_P(InGuest, BothLeaveTheSameDisk) {
  read_by_kernel();
  const nlohmann::json expected = described();
  EXPECT_EQ(expected.size(), kKeys.size() + 2) << expected.dump(1);
  std::filesystem::remove_all(cache_);
  ASSERT_EQ(mkdir(cache_.c_str(), 0755), 0);
  read_by_model();
  EXPECT_EQ(described(), expected) << described().dump(1);
}

INSTANTIATE_TEST_SUITE_P(Ways, InGuest, testing::Values(true, false), [](const auto& way) {
  return std::string(way.param ? "Direct" : "Buffered");
});

bool prepare_guest(const std::string& module) {
  ::mount("devtmpfs", "/dev", "devtmpfs", 0, nullptr);
  const std::string out = guest_directory + "/out";
  const std::string work = guest_directory + "/work";
  const int fd = ::open(module.c_str(), O_RDONLY | O_CLOEXEC);
  return ::mount("proc", "/proc", "proc", 0, nullptr) == 0 &&
         ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0 &&
         ::mount("none", out.c_str(), "hostfs", 0, out.c_str()) == 0 &&
         ::mount("tmpfs", work.c_str(), "tmpfs", 0, nullptr) == 0 &&
         syscall(SYS_finit_module, fd, "", 0) == 0;
}

void run_in_guest(const std::string& module) {
  if (!prepare_guest(module)) {
    std::perror("the guest cannot be prepared");
    return;
  }
  std::freopen((guest_directory + "/out/log").c_str(), "w", stdout);
  testing::GTEST_FLAG(filter) = "Ways/InGuest.*";
  const int result = RUN_ALL_TESTS();
  std::fflush(stdout);
  std::ofstream(guest_directory + "/out/result") << result;
}

// --- outside ---

std::string read_text(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Interoperability : public testing::TestWithParam<const char*> {};

TEST_P(Interoperability, OfAModelAndARealKernel) {
  const live::KernelLookup found = live::find_kernel(GetParam(), /*cached_only=*/true);
  if (!found.image) GTEST_SKIP() << found.reason;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  auto machine =
      live::GuestMachine::create({.image = *found.image,
                                  .disk = {uint64_t{64} << 20, 0},
                                  .init = self,
                                  .init_arguments = {"guest", "{DIR}", found.image->module_path}});
  ASSERT_TRUE(machine) << machine.error();
  const Status booted = (*machine)->boot();
  ASSERT_TRUE(booted) << booted.error();
  ASSERT_TRUE((*machine)->wait_end(kLimitMs)) << (*machine)->log();
  const std::string out = (*machine)->directory() + "/out/";
  EXPECT_EQ(read_text(out + "result"), "0") << read_text(out + "log") << (*machine)->log();
}

INSTANTIATE_TEST_SUITE_P(Kernels, Interoperability, testing::Values("6.1.192", "6.12.117"),
                         [](const auto& kernel) {
                           return std::string(kernel.param) == "6.12.117" ? "Linux6_12"
                                                                          : "Linux6_1";
                         });

}  // namespace
}  // namespace coldread::fuse

int main(int argc, char** argv) {
  using namespace coldread::fuse;
  testing::InitGoogleTest(&argc, argv);
  if (argc == 4 && std::string_view(argv[1]) == "guest") {
    guest_directory = argv[2];
    run_in_guest(argv[3]);
    std::fflush(nullptr);
    reboot(RB_POWER_OFF);
  }
  const int result = RUN_ALL_TESTS();
  const auto& tests = *testing::UnitTest::GetInstance();
  const bool all_skipped = tests.skipped_test_count() > 0 && tests.successful_test_count() == 0;
  return result == 0 && all_skipped ? kSkipped : result;
}
