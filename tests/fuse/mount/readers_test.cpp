// volumes/: what readers see, and what becomes of those who wait.
#include <linux/fuse.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstring>
#include <iterator>
#include <sstream>

#include "tests/fuse/mount/mounted.h"

namespace coldread::fuse {
namespace {

class ReadersTest : public Mounted {
 protected:
  // Waits until `count` READ requests have arrived at the daemon's queue or were delivered.
  void wait_for_requests(size_t count) {
    while (true) {
      const std::string text = read_file(at("requests"));
      size_t found = 0;
      for (size_t at = text.find(" READ "); at != std::string::npos;
           at = text.find(" READ ", at + 1))
        found++;
      if (found == count) return;
      usleep(2000);
    }
  }
};

TEST_F(ReadersTest, ColdThenWarm) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  constexpr int64_t kSize = 300'000;
  std::vector<player::Message> messages;
  std::thread serving([&] {
    daemon.serve(kSize, [&](const player::Message& message) {
      messages.push_back(message);
      return message.opcode == player::kOpRead && message.off + message.length >= kSize;
    });
  });
  EXPECT_TRUE(read_file(at("volumes/v/c")) == contents(0, kSize));
  serving.join();
  struct stat attributes {};
  ASSERT_EQ(stat(at("volumes/v/c").c_str(), &attributes), 0);
  EXPECT_EQ(attributes.st_size, kSize);
  // From the page cache, and once that is gone from the cache: nobody is asked.
  EXPECT_TRUE(read_file(at("volumes/v/c")) == contents(0, kSize));
  const int fd = open(at("volumes/v/c").c_str(), O_RDONLY | O_CLOEXEC);
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  std::string all(kSize, '\0');
  EXPECT_EQ(pread(fd, all.data(), all.size(), 0), kSize);
  EXPECT_TRUE(all == contents(0, kSize));
  close(fd);
  uint64_t covered = 0;
  for (const player::Message& message : messages) {
    if (message.opcode != player::kOpRead) continue;
    EXPECT_EQ(message.off, covered) << "each byte is asked for once, in order";
    covered += message.length;
  }
  EXPECT_EQ(covered, 303'104u);
}

// The server adds something to what libfuse answers INIT: to that alone.
TEST_F(ReadersTest, ContentsThatLookLikeAnAnswerToInitArriveAsTheyAre) {
  fuse_init_out init{};
  init.major = FUSE_KERNEL_VERSION;
  init.flags = FUSE_MAX_PAGES;
  init.max_write = 255 * 4096;  // what the server asks for
  init.max_pages = 7;
  const std::string imitation(reinterpret_cast<const char*>(&init), sizeof(init));
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread serving([&] {
    daemon.answer_open(daemon.wait_for_message(), sizeof(init));
    const player::Message read = daemon.wait_for_message();
    std::string page = imitation;
    page.resize(read.length);
    EXPECT_EQ(pwrite(daemon.object(read.object_id), page.data(), page.size(), 0),
              static_cast<ssize_t>(page.size()));
    EXPECT_EQ(daemon.complete(read), 0);
  });
  EXPECT_TRUE(read_file(at("volumes/v/c")) == imitation);
  serving.join();
}

TEST_F(ReadersTest, NoDaemonNoData) {
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  EXPECT_EQ(open(at("volumes/v/c").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOBUFS);
  EXPECT_EQ(mkdir(at("volumes/v").c_str(), 0755), -1);
  EXPECT_EQ(errno, EEXIST);
  EXPECT_EQ(mkdir(at("volumes/" + std::string(255, 'v')).c_str(), 0755), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
  EXPECT_EQ(access(at("volumes/v/" + std::string(253, 'c')).c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENAMETOOLONG);
}

TEST_F(ReadersTest, ARefusedObjectCannotBeOpened) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread serving([&] { daemon.answer_open(daemon.wait_for_message(), -ENOENT); });
  EXPECT_EQ(open(at("volumes/v/c").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENOBUFS);
  serving.join();
}

TEST_F(ReadersTest, UnlinkRetiresAndRmdirRelinquishes) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread serving([&] {
    int closed = 0;
    daemon.serve(4096, [&](const player::Message& message) {
      if (message.opcode == player::kOpClose) closed++;
      return closed == 2;
    });
  });
  EXPECT_TRUE(read_file(at("volumes/v/gone")) == contents(0, 4096));
  EXPECT_TRUE(read_file(at("volumes/v/kept")) == contents(0, 4096));
  EXPECT_EQ(unlink(at("volumes/v/gone").c_str()), 0);
  EXPECT_EQ(rmdir(at("volumes/v").c_str()), 0);
  serving.join();
  EXPECT_EQ(access(at("volumes/v").c_str(), F_OK), -1);
  daemon.close();
  server_->stop();
  size_t kept = 0;
  for (const auto& entry : store_->dump()) {
    EXPECT_EQ(entry.path.find("gone"), std::string::npos) << entry.path;
    if (entry.path.find("Dkept") != std::string::npos) kept++;
  }
  EXPECT_EQ(kept, 1u);
}

TEST_F(ReadersTest, AStuckFileHoldsNobodyUpAndAKilledReaderTakesItsRequestAlong) {
  constexpr size_t kReaders = 200;
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread opening([&] { daemon.answer_open(daemon.wait_for_message(), 16 << 20); });
  const int stuck = open(at("volumes/v/stuck").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(stuck, 0);
  opening.join();
  posix_fadvise(stuck, 0, 0, POSIX_FADV_RANDOM);
  std::vector<pid_t> readers;
  for (size_t i = 0; i < kReaders; i++) {
    const pid_t child = fork();
    if (child == 0) {
      for (int fd = 3; fd < 1024; fd++)  // the daemon's among them
        if (fd != stuck) close(fd);
      char byte = 0;
      _exit(pread(stuck, &byte, 1, static_cast<off_t>(i) << 16) == 1 ? 0 : 1);
    }
    readers.push_back(child);
  }
  wait_for_requests(kReaders);

  std::thread serving([&] {
    size_t stuck_reads = 0;
    bool served = false;
    while (!served || stuck_reads < kReaders) {
      const player::Message message = daemon.wait_for_message();
      if (message.opcode == player::kOpOpen) {
        daemon.answer_open(message, 4096);
      } else if (message.object_id == 1) {
        stuck_reads++;  // never answered
      } else {
        daemon.answer_read(message);
        served = true;
      }
    }
  });
  EXPECT_TRUE(read_file(at("volumes/v/other")) == contents(0, 4096));
  serving.join();

  kill(readers.back(), SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(readers.back(), &status, 0), readers.back());
  EXPECT_TRUE(WIFSIGNALED(status));
  wait_for_requests(kReaders - 1);
  readers.pop_back();

  daemon.close();  // as a daemon that dies
  for (const pid_t reader : readers) {
    ASSERT_EQ(waitpid(reader, &status, 0), reader);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  }
  close(stuck);
}

TEST_F(ReadersTest, AHandledSignalEndsNoReadButALaterFatalOneDoes) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 3; fd < 1024; fd++) close(fd);
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    const int fd = open(at("volumes/v/c").c_str(), O_RDONLY | O_CLOEXEC);
    char byte = 0;
    _exit(read(fd, &byte, 1) == 1 ? 0 : 1);
  }
  daemon.answer_open(daemon.wait_for_message(), 4096);
  EXPECT_EQ(daemon.wait_for_message().opcode, player::kOpRead);
  kill(child, SIGUSR1);
  usleep(100'000);
  wait_for_requests(1);
  EXPECT_EQ(waitpid(child, nullptr, WNOHANG), 0);
  // Not SIGTERM: with a signal pending already the kernel does not look at it before the read ends.
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  wait_for_requests(0);
}

TEST_F(ReadersTest, AKilledDaemonFailsItsReadersAndMakesRoomForTheNext) {
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 3; fd < 1024; fd++) close(fd);
    Daemon daemon(mountpoint_);
    daemon.bind();
    daemon.answer_open(daemon.wait_for_message(), 4096);
    while (true) pause();
  }
  while (read_file(at("proc/fs/fscache/caches")).find(" A CacheFiles") == std::string::npos)
    usleep(1000);
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::future<int> reader = std::async(std::launch::async, [path = at("volumes/v/c")] {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    char byte = 0;
    const int error = fd < 0 || read(fd, &byte, 1) < 0 ? errno : 0;
    if (fd >= 0) close(fd);
    return error;
  });
  wait_for_requests(1);
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(reader.get(), EIO);
  const int next = open(at("dev/cachefiles").c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_GE(next, 0) << std::strerror(errno);
  close(next);
}

TEST_F(ReadersTest, ServerStopsWithRequestsPending) {
  auto daemon = std::make_unique<Daemon>(mountpoint_);
  daemon->bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::vector<std::future<int>> readers;
  for (int i = 0; i < 4; i++) {
    readers.push_back(std::async(std::launch::async, [path = at("volumes/v/" + std::to_string(i))] {
      const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
      char byte = 0;
      const int error = fd < 0 || read(fd, &byte, 1) < 0 ? errno : 0;
      if (fd >= 0) close(fd);
      return error;
    }));
  }
  // The READ of one that is open may come before the next OPEN.
  for (int opened = 0; opened < 2;) {
    const player::Message message = daemon->wait_for_message();
    if (message.opcode != player::kOpOpen) continue;
    daemon->answer_open(message, 4096);
    opened++;
  }
  wait_for_requests(2);
  server_->stop();
  for (std::future<int>& reader : readers) EXPECT_NE(reader.get(), 0);
  EXPECT_TRUE(std::filesystem::is_empty(mountpoint_)) << "unmounted";
}

TEST_F(ReadersTest, SomebodyElseUnmountsWithRequestsPending) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::future<int> reader = std::async(std::launch::async, [path = at("volumes/v/c")] {
    return open(path.c_str(), O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
  });
  EXPECT_EQ(daemon.wait_for_message().opcode, player::kOpOpen);
  umount2(mountpoint_.c_str(), MNT_FORCE);  // ends the connection, then says EBUSY
  umount2(mountpoint_.c_str(), MNT_DETACH);
  EXPECT_NE(reader.get(), 0);
  while (!ended_) std::this_thread::yield();
}

// Level and edge: FUSE asks who waits again, or not, after it was told.
TEST_F(ReadersTest, WhoWaitsInPollLearnsOfTraces) {
  const int trace = open(at("trace_pipe").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(trace, 0);
  const int set = epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLET;
  ASSERT_EQ(epoll_ctl(set, EPOLL_CTL_ADD, trace, &wanted), 0);
  pollfd polled{trace, POLLIN, 0};
  EXPECT_EQ(poll(&polled, 1, 0), 0);
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  for (int round = 0; round < 3; round++) {
    auto polls = std::async(std::launch::async, [&polled] { return poll(&polled, 1, -1); });
    auto waits = std::async(std::launch::async, [set] {
      epoll_event event{};
      return epoll_wait(set, &event, 1, -1);
    });
    std::thread reader([path = at("volumes/v/c" + std::to_string(round))] { read_file(path); });
    daemon.answer_open(daemon.wait_for_message(), 0);
    reader.join();
    EXPECT_EQ(polls.get(), 1) << round;
    EXPECT_EQ(polled.revents, POLLIN);
    EXPECT_EQ(waits.get(), 1) << round;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(trace, buffer, sizeof(buffer))) > 0) {
    }
    EXPECT_EQ(got, -1);
    EXPECT_EQ(errno, EAGAIN);
  }
  close(set);
  close(trace);
}

// The line of `requests` about a reader's call, cut at blanks.
std::vector<std::string> line_about(const std::string& text, const std::string& call) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
    if (words.size() > 6 && words[2] == call) return words;
  }
  return std::vector<std::string>(7);
}

TEST_F(ReadersTest, RequestsTellsForWhichMessageAReaderWaits) {
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  // Ids count on, so that those of the two that are looked at are not the first.
  std::thread first([path = at("volumes/v/first")] { read_file(path); });
  daemon.answer_open(daemon.wait_for_message(), 0);
  first.join();
  std::thread reader([path = at("volumes/v/c")] { read_file(path); });
  const player::Message open = daemon.wait_for_message();
  EXPECT_NE(open.msg_id, 0u);
  EXPECT_EQ(line_about(read_file(at("requests")), "open")[6], std::to_string(open.msg_id));
  daemon.answer_open(open, 8192);
  const player::Message read = daemon.wait_for_message();
  ASSERT_EQ(read.opcode, player::kOpRead);
  const std::vector<std::string> line = line_about(read_file(at("requests")), "read");
  EXPECT_EQ(line[6], std::to_string(read.msg_id));
  EXPECT_EQ(line[3], "0");
  EXPECT_EQ(line.back(), "volumes/v/c");
  daemon.answer_read(read);
  reader.join();
}

TEST_F(ReadersTest, ProcTracesAndRequestsCanBeRead) {
  const int trace = open(at("trace_pipe").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(trace, 0);
  char buffer[65536];
  EXPECT_EQ(read(trace, buffer, sizeof(buffer)), -1);
  EXPECT_EQ(errno, EAGAIN);
  Daemon daemon(mountpoint_);
  daemon.bind();
  ASSERT_EQ(mkdir(at("volumes/v").c_str(), 0755), 0);
  std::thread reader([path = at("volumes/v/c")] { read_file(path); });
  const player::Message message = daemon.wait_for_message();
  EXPECT_NE(read_file(at("proc/fs/fscache/caches")).find("CacheFiles"), std::string::npos);
  EXPECT_NE(read_file(at("proc/fs/fscache/volumes")).find(" v\n"), std::string::npos);
  EXPECT_NE(read_file(at("proc/fs/fscache/cookies")).find(" 63\n"), std::string::npos)
      << read_file(at("proc/fs/fscache/cookies"));
  EXPECT_NE(read_file(at("proc/fs/fscache/stats")).find("Cookies: n=1"), std::string::npos);
  const std::string requests = read_file(at("requests"));
  EXPECT_NE(requests.find("volumes/v/c"), std::string::npos) << requests;
  EXPECT_NE(requests.find(" OPEN "), std::string::npos) << requests;
  EXPECT_NE(requests.find("delivered"), std::string::npos) << requests;
  daemon.answer_open(message, 0);
  reader.join();
  std::string text;
  for (ssize_t got = 0; (got = read(trace, buffer, sizeof(buffer))) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  EXPECT_NE(text.find(": cachefiles_ondemand_open: o="), std::string::npos)
      << text.substr(text.size() - std::min<size_t>(text.size(), 1000));
  EXPECT_NE(text.find(" [000] ..... "), std::string::npos);
  close(trace);
}

}  // namespace
}  // namespace coldread::fuse
