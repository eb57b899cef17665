// Real sessions on a real mount are recorded, and replayed to the same answers.
#include <spawn.h>
#include <sys/wait.h>

#include "fuse/mount/instance.h"
#include "fuse/record/recorder.h"
#include "fuse/replay/replay.h"
#include "sim/cli/app.h"
#include "tests/fuse/mount/mounted.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::fuse {
namespace {

namespace fs = std::filesystem;
using Verdict = ReplayResult::Verdict;

// A process that reads the beginning of a file. A program of its own: a copy of this one would have
// the mount's connection, which must end with the server.
pid_t start_reader(const std::string& path) {
  pid_t child = -1;
  std::string words[] = {"head", "-c1", path};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
  EXPECT_EQ(posix_spawnp(&child, "head", nullptr, nullptr, arguments, environ), 0);
  return child;
}

int status_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

class RecordedSession : public testing::Test {
 protected:
  void SetUp() override {
    const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) GTEST_SKIP() << "/dev/fuse cannot be opened: " << std::strerror(errno);
    close(fuse);
    for (const char* name : {"cache", "mount", "blobs", "blobs/v"})
      fs::create_directory(directory_.path() / name);
    limit_time();
  }
  void TearDown() override {
    stop();
    alarm(0);
    umount2(at("mount").c_str(), MNT_DETACH);
  }

  // Whoever waits for a server in its own process cannot be killed.
  void limit_time() {
    static std::string victim;
    victim = at("mount");
    std::signal(SIGALRM, [](int) {
      umount2(victim.c_str(), MNT_FORCE);
      umount2(victim.c_str(), MNT_DETACH);
      constexpr char kText[] = "the test took too long\n";
      [[maybe_unused]] const ssize_t written = write(2, kText, sizeof(kText) - 1);
      std::abort();
    });
    alarm(kTimeLimit);
  }

  std::string at(const std::string& name) const { return directory_.path() / name; }

  void start(const char* kernel = "6.12.117") {
    InstanceOptions options;
    auto recorder = Recorder::create(at("recording"), {kernel, "test", options.realtime});
    ASSERT_TRUE(recorder) << recorder.error();
    recorder_ = std::move(*recorder);
    options.profile = *find_profile(kernel);
    options.cache = at("cache");
    options.mountpoint = at("mount");
    options.tape = recorder_.get();
    auto started = Instance::start(std::move(options));
    ASSERT_TRUE(started) << started.error();
    instance_ = std::move(*started);
  }
  void stop() {
    instance_.reset();
    if (recorder_) {
      EXPECT_EQ(recorder_->trouble(), 0);
    }
    recorder_.reset();
  }

  std::unique_ptr<Daemon> bound_daemon() const {
    auto daemon = std::make_unique<Daemon>(at("mount"));
    EXPECT_GT(daemon->say("dir " + at("cache")), 0);
    EXPECT_GT(daemon->say("bind ondemand"), 0);
    EXPECT_EQ(mkdir(at("mount/volumes/v").c_str(), 0755), 0);
    return daemon;
  }

  // Twice, to the same bytes.
  ReplayResult replayed() const {
    std::string text[2];
    ReplayResult result;
    for (std::string& lines : text) {
      const auto keep = [&lines](std::string_view line) { (lines += line) += '\n'; };
      auto replayed = replay(at("recording"), {keep, keep});
      if (!replayed) ADD_FAILURE() << replayed.error();
      if (replayed) result = std::move(*replayed);
    }
    EXPECT_TRUE(text[0] == text[1]);
    EXPECT_EQ(result.got, "") << "line " << result.line << ": " << result.recorded;
    keep_if_wanted();
    return result;
  }

  // For who looks for a recording to commit, or for what went wrong.
  void keep_if_wanted() const {
    const char* directory = getenv("COLDREAD_KEEP_RECORDINGS");  // NOLINT(concurrency-mt-unsafe)
    if (directory == nullptr) return;
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::copy_file(at("recording"), fs::path(directory) / (name + ".jsonl"),
                  fs::copy_options::overwrite_existing);
  }

  live::TemporaryDirectory directory_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<Instance> instance_;
};

TEST_F(RecordedSession, ReadersADeadReaderAndADaemonThatCloses) {
  ASSERT_NO_FATAL_FAILURE(start());
  auto daemon = bound_daemon();
  std::thread serving([&] {
    int reads = 0;
    daemon->serve(4096, [&](const player::Message& message) {
      return message.opcode == player::kOpRead && ++reads == 2;
    });
  });
  for (const char* name : {"a", "b"})
    EXPECT_TRUE(read_file(at("mount/volumes/v/") + name) == contents(0, 4096)) << name;
  serving.join();

  const pid_t reader = start_reader(at("mount/volumes/v/c"));
  daemon->answer_open(daemon->wait_for_message(), 4096);
  EXPECT_EQ(daemon->wait_for_message().opcode, player::kOpRead);
  kill(reader, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(status_of(reader)));

  const pid_t second = start_reader(at("mount/volumes/v/d"));
  EXPECT_EQ(daemon->wait_for_message().opcode, player::kOpOpen);
  daemon->close();
  EXPECT_EQ(status_of(second), 1 << 8);
  stop();

  const ReplayResult result = replayed();
  EXPECT_EQ(result.verdict, Verdict::same);
  EXPECT_TRUE(result.complete);
  EXPECT_EQ(result.kernel, "6.12.117");
  EXPECT_GT(result.inputs, 100U);
}

TEST_F(RecordedSession, TheBuiltInDaemon) {
  for (const char* name : {"a", "b"}) std::ofstream(at("blobs/v/") + name) << contents(7, 300'000);
  ASSERT_NO_FATAL_FAILURE(start());
  auto error = std::make_shared<int>(1);
  Server& server = instance_->server();
  instance_->host().call(server.serving_blobs(at("cache"), at("blobs"), error));
  ASSERT_EQ(*error, 0);
  EXPECT_TRUE(read_file(at("mount/volumes/v/a")) == contents(7, 300'000));
  EXPECT_TRUE(read_file(at("mount/volumes/v/b")) == contents(7, 300'000));
  EXPECT_EQ(read_file(at("mount/volumes/v/none")), "");
  EXPECT_NE(read_file(at("mount/requests")).find("PID"), std::string::npos);
  EXPECT_NE(read_file(at("mount/proc/fs/fscache/caches")), "");
  instance_->host().call(server.reporting(std::make_shared<std::string>()));
  stop();
  fs::remove_all(at("blobs"));  // neither these nor the cache are looked at again
  fs::remove_all(at("cache"));
  EXPECT_EQ(replayed().verdict, Verdict::same);
}

TEST_F(RecordedSession, WhoWaitsWhenTheServerIsStoppedHangs) {
  ASSERT_NO_FATAL_FAILURE(start());
  auto daemon = bound_daemon();
  const pid_t reader = start_reader(at("mount/volumes/v/c"));
  EXPECT_EQ(daemon->wait_for_message().opcode, player::kOpOpen);
  stop();
  EXPECT_EQ(status_of(reader), 1 << 8);
  const ReplayResult result = replayed();
  EXPECT_EQ(result.verdict, Verdict::hung);
  ASSERT_TRUE(result.report);
  ASSERT_EQ(result.report->details.size(), 1U);
  EXPECT_NE(result.report->details[0].find("open of volumes/v/c"), std::string::npos)
      << result.report->details[0];
  EXPECT_TRUE(result.complete);
}

// Two volumes of one long key break the model as they broke Linux 5.19; the netfs is a program,
// whose memory is looked at.
TEST_F(RecordedSession, ABrokenInvariantIsOneAgain) {
  ASSERT_NO_FATAL_FAILURE(start("5.19"));
  const int netfs = open(at("mount/dev/coldread_netfs").c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(netfs, 0) << std::strerror(errno);
  const std::string key(180, 'k');
  coldread_volume volume{};
  volume.volume = 1;
  volume.key = reinterpret_cast<uintptr_t>(key.c_str());
  EXPECT_EQ(ioctl(netfs, COLDREAD_ACQUIRE_VOLUME, &volume), 0) << std::strerror(errno);
  volume.volume = 2;
  EXPECT_EQ(ioctl(netfs, COLDREAD_ACQUIRE_VOLUME, &volume), -1);
  EXPECT_EQ(errno, ENOTCONN);
  close(netfs);
  stop();
  const ReplayResult result = replayed();
  EXPECT_EQ(result.verdict, Verdict::broken);
  ASSERT_TRUE(result.report);
  EXPECT_EQ(result.report->kind, "out-of-bounds");
}

// `coldread serve` is killed while a reader waits for a daemon that never answers, in a kernel in
// which nothing ends that wait.
TEST_F(RecordedSession, AHangOfAKilledServer) {
  const pid_t server = fork();
  if (server == 0) {
    const std::string words[] = {"coldread", "serve",    "--cache",       at("cache"), "--kernel",
                                 "6.1",      "--record", at("recording"), at("mount")};
    std::vector<const char*> arguments;
    for (const std::string& word : words) arguments.push_back(word.c_str());
    _exit(cli::main(static_cast<int>(arguments.size()), const_cast<char**>(arguments.data())));
  }
  while (!fs::exists(at("mount/dev/cachefiles"))) ASSERT_EQ(waitpid(server, nullptr, WNOHANG), 0);
  auto daemon = bound_daemon();
  const pid_t reader = start_reader(at("mount/volumes/v/c"));
  daemon->answer_open(daemon->wait_for_message(), 8192);
  EXPECT_EQ(daemon->wait_for_message().opcode, player::kOpRead);
  kill(reader, SIGKILL);
  kill(server, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(status_of(server)));
  status_of(reader);
  daemon->close();

  const ReplayResult result = replayed();
  EXPECT_EQ(result.verdict, Verdict::hung);
  EXPECT_FALSE(result.complete);
  ASSERT_TRUE(result.report);
  ASSERT_EQ(result.report->details.size(), 1U);
  EXPECT_NE(result.report->details[0].find("read of volumes/v/c, offset 0"), std::string::npos)
      << result.report->details[0];
}

}  // namespace
}  // namespace coldread::fuse
