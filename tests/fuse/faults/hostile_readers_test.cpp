// Readers that mean no good: whoever behaves is served meanwhile, and nothing is left of them.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <utime.h>

#include <atomic>
#include <cstring>
#include <random>

#include "tests/fuse/faults/pattern.h"
#include "tests/fuse/faults/wellbeing.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::faults {
namespace {

class HostileReaders : public Wellbeing {
 protected:
  void SetUp() override {
    Place::SetUp();
    if (IsSkipped()) return;
    start(Way::serve, "6.12.117");
    start_daemon();
    await({"ready"});
    for (const char* name : {"good", "bad"}) ASSERT_EQ(mkdir(volume(name).c_str(), 0755), 0);
    expect_good_service(1);
    before_ = state_of(server_);
  }
  void TearDown() override {
    if (runs() && !HasFailure()) expect_unharmed(before_);
    Place::TearDown();
  }

  std::string bad(const std::string& name) const { return volume("bad/" + name); }

  ProcessState before_;
};

// In a child.
std::mt19937& random_numbers() {
  static std::mt19937 generator(static_cast<unsigned>(getpid()));
  return generator;
}

size_t random_below(size_t limit) {
  return random_numbers()() % limit;
}

TEST_F(HostileReaders, ThousandsThatAreKilledWhileTheyWait) {
  during(4, [this] {
    pid_t children[25];
    for (pid_t& child : children) {
      child = fork_mortal();
      if (child != 0) continue;
      const int fd =
          open(bad("mute-" + std::to_string(kBlock * 1000)).c_str(), O_RDONLY | O_CLOEXEC);
      char byte = 0;
      (void)!pread(fd, &byte, 1, static_cast<off_t>(random_below(1000) * kBlock));
      _exit(0);
    }
    usleep(static_cast<useconds_t>(random_below(5000)));
    for (const pid_t child : children) kill(child, SIGKILL);
    for (const pid_t child : children) waitpid(child, nullptr, 0);
  });
  while (requests().find("mute") != std::string::npos) usleep(1000);
}

TEST_F(HostileReaders, VolumesThatComeAndGo) {
  during(4, [this] {
    const std::string name = volume("race" + std::to_string(random_below(3)));
    const std::string file = name + "/f" + std::to_string(random_below(3)) + "-8192";
    struct stat attributes {};
    char byte = 0;
    int fd = -1;
    switch (random_below(6)) {
      case 0:
        mkdir(name.c_str(), 0755);
        break;
      case 1:
        rmdir(name.c_str());
        break;
      case 2:
        stat(file.c_str(), &attributes);
        break;
      case 3:
        unlink(file.c_str());
        break;
      default:
        fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
        (void)!read(fd, &byte, 1);
        close(fd);
    }
  });
}

TEST_F(HostileReaders, NamesOfOddBytes) {
  during(3, [this] {
    std::string name(1 + random_below(270), '\0');
    for (char& byte : name) byte = static_cast<char>(1 + random_below(255));
    std::replace(name.begin(), name.end(), '/', '\n');
    const int fd = open(bad(name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    unlink(bad(name).c_str());
    if (mkdir(volume(name).c_str(), 0755) == 0) {
      close(open(volume(name + "/x-1").c_str(), O_RDONLY | O_CLOEXEC));
      rmdir(volume(name).c_str());
    }
  });
}

// A size that was told before the first open has ended, and comes to the kernel's notice later than
// the true one, must not count.
TEST_F(HostileReaders, FirstReadersOfAnObjectSeeAllOfIt) {
  constexpr int kReaders = 8, kObjects = 60;
  const auto path_of = [this](int object) {
    return bad("first" + std::to_string(object) + "-9000");
  };
  const auto object = static_cast<std::atomic<int>*>(
      mmap(nullptr, kBlock, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 4; i++) {
    in_child([&] {
      struct stat attributes {};
      while (true) stat(path_of(*object).c_str(), &attributes);
    });
  }
  for (int i = 0; i < kReaders; i++) {
    in_child([&] {
      char byte = 0;
      for (int own = 0; own < kObjects; own++) {
        if (i == 0) *object = own;
        while (*object < own) usleep(100);
        const int fd = open(path_of(own).c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0 || pread(fd, &byte, 1, 8192) != 1) tell("nothing in " + std::to_string(own));
        close(fd);
      }
      tell("all read");
    });
  }
  for (int i = 0; i < kReaders; i++) await({"all read"});
  for (const std::string& line : told()) EXPECT_FALSE(line.starts_with("nothing")) << line;
  end_children();
}

TEST_F(HostileReaders, ANameForgesNoLine) {
  start_reader(bad("mute\n\x1b-4096"));
  while (requests().find(" READ ") == std::string::npos) usleep(1000);
  EXPECT_NE(requests().find("volumes/bad/mute\\x0a\\x1b-4096\n"), std::string::npos) << requests();
  end_children();
}

TEST_F(HostileReaders, NamesThatAreOnlyLookedUpAreForgotten) {
  for (int i = 0; i < 500; i++) access(bad("nothing" + std::to_string(i) + "-1").c_str(), F_OK);
  expect_unharmed(before_);
  EXPECT_NE(log().find("good/k0"), std::string::npos) << "the report";
  EXPECT_EQ(log().find("nothing"), std::string::npos) << "what would be kept for ever";
}

TEST_F(HostileReaders, ReadsOfAbsurdPlaces) {
  during(3, [this] {
    const int flags = random_below(2) == 0 ? O_DIRECT : 0;
    const int fd = open(bad("direct-20001").c_str(), O_RDONLY | O_CLOEXEC | flags);
    static char room[3 * kBlock];
    constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
    for (const int64_t offset : {kLast, kLast - 4095, kLast - 4096, int64_t{1} << 62, int64_t{-1},
                                 int64_t{20'000}, int64_t{20'001}, int64_t{4095}}) {
      for (const size_t length : {size_t{0}, size_t{1}, kBlock, kBlock + 1, sizeof(room)})
        (void)!pread(fd, room + random_below(2), std::min(length, sizeof(room) - 1), offset);
      for (const int whence : {SEEK_SET, SEEK_END, SEEK_DATA, SEEK_HOLE}) lseek(fd, offset, whence);
      posix_fadvise(fd, offset, kLast, POSIX_FADV_WILLNEED);
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  });
  // And what is asked for in earnest is right.
  const int fd = open(bad("direct-20001").c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT);
  const fuse::AlignedMemory room(6 * kBlock);
  EXPECT_EQ(pread(fd, room.data(), 6 * kBlock, 0), 20'001);
  EXPECT_FALSE(Pattern("direct-20001").first_wrong({room.data(), 20'001}, 0));
  close(fd);
}

TEST_F(HostileReaders, Mappings) {
  during(3, [this] {
    const pid_t child = fork_mortal();
    if (child == 0) {
      constexpr size_t kLength = 64 * kBlock;
      const int fd = open(bad("mapped-200000").c_str(), O_RDONLY | O_CLOEXEC);
      void* const writable = mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (writable != MAP_FAILED) tell("changed by mmap");
      auto* const bytes =
          static_cast<volatile char*>(mmap(nullptr, kLength, PROT_READ, MAP_SHARED, fd, 0));
      madvise(const_cast<char*>(bytes), kLength, static_cast<int>(random_below(5)));
      while (true) (void)bytes[random_below(kLength)];  // beyond the end: SIGBUS
    }
    usleep(2000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  });
}

// Each is refused, always.
TEST_F(HostileReaders, Changes) {
  const auto expect_refused = [](const char* what, long result) {
    if (result >= 0) tell(std::string("changed by ") + what);
  };
  during(3, [&] {
    const std::string file = bad("fixed-8192");
    const char* const path = file.c_str();
    const std::string other_name = bad("other");
    const char* const other = other_name.c_str();
    expect_refused("open", open(path, O_WRONLY | O_CLOEXEC));
    expect_refused("open for both", open(path, O_RDWR | O_CLOEXEC));
    expect_refused("O_TRUNC", open(path, O_RDONLY | O_TRUNC | O_CLOEXEC));
    expect_refused("O_CREAT", open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    expect_refused("truncate", truncate(path, 1));
    expect_refused("chmod", chmod(path, 0777));
    expect_refused("chown", chown(path, 1, 1));
    expect_refused("utime", utime(path, nullptr));
    expect_refused("rename", rename(path, other));
    expect_refused("rename of a volume", rename(volume("bad").c_str(), volume("worse").c_str()));
    expect_refused("link", link(path, other));
    expect_refused("symlink", symlink("x", other));
    expect_refused("mknod", mknod(other, S_IFIFO | 0600, 0));
    expect_refused("mkdir", mkdir(other, 0700));
    expect_refused("rmdir", rmdir(at("mount/volumes").c_str()));
    expect_refused("unlink", unlink(at("mount/dev/cachefiles").c_str()));
    expect_refused("setxattr", setxattr(path, "user.x", "x", 1, 0));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    expect_refused("write", write(fd, "x", 1));
    expect_refused("ftruncate", ftruncate(fd, 0));
    expect_refused("fallocate", fallocate(fd, 0, 0, 1));
    expect_refused("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    expect_refused("fchmod", fchmod(fd, 0777));
    close(fd);
  });
  for (const std::string& line : told()) EXPECT_FALSE(line.starts_with("changed")) << line;
}

TEST_F(HostileReaders, DeepPaths) {
  during(2, [this] {
    std::string path = bad("deep-4096");
    while (path.size() < 4000) path += "/d";
    struct stat attributes {};
    stat(path.c_str(), &attributes);
    open(path.c_str(), O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 20; i++)
      stat(path.substr(0, bad("").size() + random_below(3000)).c_str(), &attributes);
    path = volume("");
    while (path.size() < 4000) path += "../volumes/";
    stat(path.c_str(), &attributes);
  });
}

// What is not meant for readers.
TEST_F(HostileReaders, OtherFilesOfTheMount) {
  during(3, [this] {
    static const char* const kNames[] = {
        "dev/cachefiles", "dev/coldread_netfs",      "requests",
        "trace_pipe",     "proc/fs/fscache/cookies", "proc/sys/cachefiles/error_injection"};
    const size_t which = random_below(std::size(kNames));
    const int fd = open(at(std::string("mount/") + kNames[which]).c_str(),
                        (random_below(2) == 0 ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;
    char room[512] = {};
    for (int i = 0; i < 20; i++) {
      uint32_t command = static_cast<uint32_t>(random_numbers()());
      if (random_below(2) == 0)
        command = static_cast<uint32_t>(
            _IOC(_IOC_READ | _IOC_WRITE, COLDREAD_IOC, random_below(24), random_below(80)));
      for (char& byte : room)
        byte = static_cast<char>(random_below(4) == 0 ? random_below(256) : 0);
      ioctl(fd, command, room);
      (void)!pread(fd, room, random_below(sizeof(room)),
                   static_cast<off_t>(random_numbers()()) << 20);
      (void)!read(fd, room, sizeof(room));
    }
    close(fd);
  });
}

}  // namespace
}  // namespace coldread::faults
