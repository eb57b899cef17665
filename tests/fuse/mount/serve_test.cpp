// `coldread serve` as users have it: a process of its own, the cache in a real directory.
#include <linux/capability.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include <cstring>

#include "sim/cli/app.h"
#include "tests/fuse/mount/mounted.h"

namespace coldread::fuse {
namespace {

namespace fs = std::filesystem;

// `coldread ARGUMENTS` in a child, which calls `prepare` first.
pid_t start_command(std::vector<std::string> arguments, const std::string& output,
                    const std::function<void()>& prepare = nullptr) {
  const pid_t child = fork();
  if (child != 0) return child;
  if (prepare) prepare();
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, 1);
  dup2(fd, 2);
  std::vector<char*> words;
  arguments.insert(arguments.begin(), "coldread");
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  const int code = cli::main(static_cast<int>(arguments.size()), words.data());
  std::fflush(nullptr);
  _exit(code);
}

int exit_code_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ServeTest : public testing::Test {
 protected:
  void SetUp() override {
    const int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) GTEST_SKIP() << "/dev/fuse cannot be opened: " << std::strerror(errno);
    close(fuse);
    for (const char* name : {"cache", "blobs", "blobs/v", "mount"})
      fs::create_directory(directory_.path() / name);
    alarm(kTimeLimit);
  }
  void TearDown() override {
    alarm(0);
    if (server_ > 0) {
      kill(server_, SIGKILL);
      waitpid(server_, nullptr, 0);
    }
    umount2(at("mount").c_str(), MNT_DETACH);
  }

  std::string at(const std::string& name) const { return directory_.path() / name; }
  std::string output() const { return read_file(at("output")); }

  void become_user() const {
    if (user_ == geteuid()) return;
    if (setresgid(user_, user_, user_) < 0 || setresuid(user_, user_, user_) < 0) _exit(126);
    prctl(PR_SET_DUMPABLE, 1);  // as a program of that user's is
  }
  // This test in a process that sees a /dev/fuse as most machines have it.
  static constexpr int kNoFuseForAll = 99;
  int again_with_fuse_for_all() const {
    const std::string node = at("fuse");
    const pid_t child = fork();
    if (child == 0) {
      if (unshare(CLONE_NEWNS) < 0 ||
          mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
          mknod(node.c_str(), S_IFCHR, makedev(10, 229)) < 0 || chmod(node.c_str(), 0666) < 0 ||
          mount(node.c_str(), "/dev/fuse", nullptr, MS_BIND, nullptr) < 0)
        _exit(kNoFuseForAll);
      const std::string filter = std::string("--gtest_filter=ServeTest.") +
                                 testing::UnitTest::GetInstance()->current_test_info()->name();
      execl("/proc/self/exe", "fuse_mount_test", filter.c_str(), nullptr);
      _exit(kNoFuseForAll);
    }
    return exit_code_of(child);
  }
  void serve() { serve({"--daemon", "serve:" + at("blobs")}); }
  void serve(std::vector<std::string> options) {
    fs::remove(at("output"));
    std::vector<std::string> words{"serve", "--cache", at("cache")};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back(at("mount"));
    std::ofstream(at("output")).close();
    ASSERT_EQ(chown(at("output").c_str(), user_, static_cast<gid_t>(-1)), 0);
    server_ = start_command(std::move(words), at("output"), [this] { become_user(); });
    while (output().find(": served as") == std::string::npos) {
      ASSERT_EQ(waitpid(server_, nullptr, WNOHANG), 0) << output();
      usleep(1000);
    }
  }
  int end(int signal) {
    kill(server_, signal);
    return exit_code_of(std::exchange(server_, -1));
  }
  // The line about an object in the report.
  std::string line_of(const std::string& object) const {
    std::istringstream lines(output());
    std::string found;
    for (std::string line; std::getline(lines, line);)
      if (line.ends_with("  " + object)) found = line;
    return found;
  }

  struct Counts {
    uint64_t hits = 0, misses = 0, holes = 0, read = 0, fetched = 0, size = 0;
  };
  Counts counts_of(const std::string& object) const {
    std::istringstream line(line_of(object));
    Counts counts;
    line >> counts.hits >> counts.misses >> counts.holes >> counts.read >> counts.fetched >>
        counts.size;
    return counts;
  }

  live::TemporaryDirectory directory_;
  pid_t server_ = -1;
  uid_t user_ = geteuid();  // whose server it is
};

TEST_F(ServeTest, ATreeOfFilesIsTheSameAndTheSecondPassAsksNobody) {
  std::map<std::string, uint64_t> sizes{{"a", 1}, {"b", 4096}, {"c", 100'000}, {"d", 3'000'001}};
  for (const auto& [name, size] : sizes)
    std::ofstream(at("blobs/v/" + name)) << contents(size, size);
  std::ofstream(at("blobs/top")) << "top";
  for (int pass = 0; pass < 2; pass++) {
    serve();
    for (const auto& [name, size] : sizes)
      EXPECT_TRUE(read_file(at("mount/volumes/v/" + name)) == contents(size, size)) << name;
    EXPECT_EQ(read_file(at("mount/volumes/blobs/top")), "top");
    size_t listed = 0;
    for (const auto& entry : fs::directory_iterator(at("mount/volumes/v")))
      listed += sizes.count(entry.path().filename());
    EXPECT_EQ(listed, sizes.size());
    EXPECT_EQ(end(SIGTERM), 0);
    EXPECT_TRUE(fs::is_empty(at("mount")));
    const Counts counts = counts_of("v/d");
    EXPECT_EQ(counts.holes > 0, pass == 0) << output();
    EXPECT_EQ(counts.misses > 0, pass == 0) << output();
    EXPECT_TRUE(pass == 0 || counts.hits > 0) << output();
    EXPECT_EQ(counts.size, sizes["d"]) << output();
  }
}

TEST_F(ServeTest, DirectIOMakesNoDifferenceToReaders) {
  std::ofstream(at("blobs/v/a")) << contents(1, 1'000'001);
  for (const char* cache : {"cold", "warm"}) {
    serve({"--daemon", "serve:" + at("blobs"), "--direct"});
    EXPECT_TRUE(read_file(at("mount/volumes/v/a")) == contents(1, 1'000'001)) << cache;
    EXPECT_EQ(end(SIGTERM), 0);
  }
}

// Reads a range as its reader alone does: no readahead of the kernel's in between.
void read_range(const std::string& path, uint64_t from, uint64_t to, uint64_t size) {
  const std::string all = contents(1, size);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  std::string piece(64 * 1024, '\0');
  for (uint64_t at = from; at < to; at += piece.size()) {
    ASSERT_EQ(pread(fd, piece.data(), piece.size(), static_cast<off_t>(at)),
              static_cast<ssize_t>(piece.size()));
    ASSERT_TRUE(all.compare(at, piece.size(), piece) == 0) << at;
  }
  close(fd);
}

TEST_F(ServeTest, WhoReadsInOrderIsServedAheadAndNothingIsFetchedTwice) {
  constexpr uint64_t kSize = 24 << 20, kPiece = 64 * 1024;
  std::ofstream(at("blobs/v/a")) << contents(1, kSize);
  serve();
  const std::string path = at("mount/volumes/v/a");
  read_range(path, 9 << 20, 10 << 20, kSize);  // an island, and what is fetched ahead from there
  read_range(path, 0, kSize, kSize);
  EXPECT_EQ(end(SIGTERM), 0);
  const Counts counts = counts_of("v/a");
  EXPECT_EQ(counts.fetched, kSize) << output();
  EXPECT_GT(counts.holes, 0U) << output();
  EXPECT_LT(counts.holes, kSize / kPiece / 2) << output();
}

TEST_F(ServeTest, WhoReadsHereAndThereGetsThatAlone) {
  constexpr uint64_t kSize = 8 << 20, kPiece = 64 * 1024;
  std::ofstream(at("blobs/v/a")) << contents(1, kSize);
  serve();
  const std::string path = at("mount/volumes/v/a");
  for (uint64_t from = kSize; from >= kPiece; from -= 4 * kPiece)
    read_range(path, from - kPiece, from, kSize);
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_EQ(counts_of("v/a").fetched, kSize / 4) << output();
}

TEST_F(ServeTest, SIGUSR1TellsWhatWasRead) {
  std::ofstream(at("blobs/v/a")) << "hello";
  serve();
  EXPECT_EQ(read_file(at("mount/volumes/v/a")), "hello");
  EXPECT_EQ(line_of("v/a"), "");
  kill(server_, SIGUSR1);
  while (line_of("v/a").empty()) usleep(1000);
  EXPECT_EQ(end(SIGINT), 0);
}

TEST_F(ServeTest, TheDeviceIsForAdministrators) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root: another user's server is for that user";
  serve({});
  const auto open_with = [this](bool capable) {
    const pid_t child = fork();
    if (child == 0) {
      __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
      __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
      syscall(SYS_capget, &header, sets);
      if (!capable) sets[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective &= ~CAP_TO_MASK(CAP_SYS_ADMIN);
      if (syscall(SYS_capset, &header, sets) < 0) _exit(255);
      _exit(open(at("mount/dev/cachefiles").c_str(), O_RDWR) < 0 ? errno : 0);
    }
    return exit_code_of(child);
  };
  EXPECT_EQ(open_with(false), EPERM);
  EXPECT_EQ(open_with(true), 0);
}

TEST_F(ServeTest, AnOrdinaryUserServes) {
  constexpr uid_t kNobody = 65534;
  struct stat helper = {};
  if (stat("/usr/bin/fusermount3", &helper) != 0 || (helper.st_mode & S_ISUID) == 0)
    GTEST_SKIP() << "fusermount3 (package fuse3) is missing, or not set-user-ID";
  struct stat device = {};
  stat("/dev/fuse", &device);
  if ((device.st_mode & 0006) != 0006) {
    const int code = again_with_fuse_for_all();
    if (code == kNoFuseForAll) GTEST_SKIP() << "/dev/fuse is not for all users";
    EXPECT_EQ(code, 0);
    return;
  }
  user_ = geteuid() == 0 ? kNobody : geteuid();
  std::ofstream(at("blobs/v/a")) << contents(0, 300'000);
  fs::permissions(directory_.path(), fs::perms(0755));
  if (geteuid() == 0) {
    for (const auto& entry : fs::recursive_directory_iterator(directory_.path()))
      ASSERT_EQ(chown(entry.path().c_str(), user_, user_), 0);
  }
  serve({"--daemon", "serve:" + at("blobs")});
  // Others than its user, even root, are not let in.
  const pid_t reader = fork();
  if (reader == 0) {
    become_user();
    _exit(read_file(at("mount/volumes/v/a")) == contents(0, 300'000) ? 0 : 1);
  }
  EXPECT_EQ(exit_code_of(reader), 0) << output();
  EXPECT_EQ(end(SIGTERM), 0);
  EXPECT_NE(line_of("v/a"), "") << output();
  EXPECT_TRUE(fs::is_empty(at("mount")));
}

// The mount works where there is nothing but /dev/fuse: as root of one's own user, mount and
// process namespaces, as a container has them.
TEST_F(ServeTest, InAContainer) {
  const auto inside = [](std::vector<std::string> words) {
    const pid_t child = fork();
    if (child != 0) return exit_code_of(child);
    std::vector<std::string> all{"unshare", "-Urm",         "--pid",
                                 "--fork",  "--mount-proc", "--kill-child"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    _exit(127);
  };
  if (inside({"sh", "-c", "exec 3<>/dev/fuse"}) != 0)
    GTEST_SKIP() << "no namespaces of one's own here, or none with /dev/fuse";
  EXPECT_EQ(inside({fs::read_symlink("/proc/self/exe"),
                    "--gtest_filter=ServeTest.ATreeOfFilesIsTheSameAndTheSecondPassAsksNobody:"
                    "ServeTest.UmountCleansUpBehindAKilledServer"}),
            0);
}

TEST_F(ServeTest, OneServerInACacheDirectory) {
  serve();
  fs::create_directory(at("second"));
  EXPECT_EQ(exit_code_of(start_command(
                {"serve", "--cache", at("cache"), "--daemon", "serve:" + at("blobs"), at("second")},
                at("refused"))),
            5);
  EXPECT_NE(read_file(at("refused")).find("Device or resource busy"), std::string::npos)
      << read_file(at("refused"));
  EXPECT_EQ(end(SIGKILL), -1);
  EXPECT_EQ(exit_code_of(start_command({"umount", at("mount")}, at("umount"))), 0);
  serve();  // whoever had it is dead
  EXPECT_EQ(end(SIGTERM), 0);
}

TEST_F(ServeTest, UmountEndsTheServer) {
  serve();
  EXPECT_EQ(exit_code_of(start_command({"umount", at("mount")}, at("umount"))), 0)
      << read_file(at("umount"));
  EXPECT_EQ(exit_code_of(std::exchange(server_, -1)), 0);
}

TEST_F(ServeTest, UmountNeedsForceWhileFilesAreOpen) {
  std::ofstream(at("blobs/v/a")) << "hello";
  serve();
  const int fd = open(at("mount/volumes/v/a").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  EXPECT_EQ(exit_code_of(start_command({"umount", at("mount")}, at("umount"))), 5);
  EXPECT_NE(read_file(at("umount")).find("--force"), std::string::npos);
  EXPECT_EQ(exit_code_of(start_command({"umount", "--force", at("mount")}, at("umount"))), 0);
  EXPECT_EQ(exit_code_of(std::exchange(server_, -1)), 0);
  char byte = 0;
  EXPECT_EQ(read(fd, &byte, 1), -1);
  close(fd);
}

TEST_F(ServeTest, UmountCleansUpBehindAKilledServer) {
  serve();
  EXPECT_EQ(end(SIGKILL), -1);
  struct stat attributes = {};
  EXPECT_EQ(stat(at("mount").c_str(), &attributes), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(exit_code_of(start_command({"umount", at("mount")}, at("umount"))), 0);
  EXPECT_NE(read_file(at("umount")).find("has gone"), std::string::npos);
  EXPECT_EQ(stat(at("mount").c_str(), &attributes), 0);
  serve();  // and again
  EXPECT_EQ(end(SIGTERM), 0);
}

TEST_F(ServeTest, BadInputIsSaidAndTwo) {
  const auto run = [&](std::vector<std::string> arguments) {
    return exit_code_of(start_command(std::move(arguments), at("output")));
  };
  EXPECT_EQ(run({"serve", "--cache", at("nowhere"), at("mount")}), 2);
  EXPECT_EQ(run({"serve", "--cache", at("cache"), at("nowhere")}), 2);
  EXPECT_EQ(run({"serve", "--cache", at("cache"), "--daemon", "blobs", at("mount")}), 2);
  EXPECT_EQ(run({"serve", "--cache", at("cache"), "--kernel", "1.0", at("mount")}), 2);
  EXPECT_EQ(run({"umount", at("mount")}), 2);
}

}  // namespace
}  // namespace coldread::fuse
