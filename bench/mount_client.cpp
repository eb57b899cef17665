// The readers of bench/mount_speed: loops over a mounted file, as tight as they can be.
//
// usage: mount_client sequential FILE...           prints MiB per second over all of them
//        mount_client random FILE THREADS COUNT FIRST
//                                                  4 KiB at COUNT pages all over the file, none of
//                                                  them twice for other FIRSTs (a pass' number)
//                                                  times COUNT; prints reads per second
//        mount_client crowd FILE COUNT             COUNT threads each read a page of their own and
//                                                  are ended by a signal; prints "begun"
#include <fcntl.h>
#include <fmt/core.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kPage = 4096;
constexpr size_t kPiece = 128 * 1024;  // as cat reads
constexpr size_t kSmallStack = 32 * 1024;

void expect(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int open_to_read(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  expect(fd >= 0, path);
  return fd;
}

int sequential(int count, char** paths) {
  std::vector<char> piece(kPiece);
  uint64_t bytes = 0;
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    const int fd = open_to_read(paths[i]);
    ssize_t got = 0;
    while ((got = read(fd, piece.data(), piece.size())) > 0) bytes += static_cast<uint64_t>(got);
    expect(got == 0, paths[i]);
    close(fd);
  }
  fmt::print("{}\n", static_cast<double>(bytes) / (1 << 20) / seconds_since(start));
  return 0;
}

// Pages in an order without neighbours: multiples of an odd number, modulo a power of two.
uint64_t scattered(uint64_t index, uint64_t pages) {
  return index * 40503 % pages;
}

uint64_t pages_of(int fd) {
  struct stat status {};
  expect(fstat(fd, &status) == 0, "fstat");
  const uint64_t pages = static_cast<uint64_t>(status.st_size) / kPage;
  if ((pages & (pages - 1)) == 0 && pages != 0) return pages;
  fmt::print(stderr, "mount_client: expected a file of a power of two pages\n");
  std::exit(2);
}

int random_reads(const char* path, unsigned threads, uint64_t count, uint64_t first) {
  const int fd = open_to_read(path);
  const uint64_t pages = pages_of(fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  std::atomic<uint64_t> next = 0;
  const auto read_some = [&] {
    char page[kPage];
    for (uint64_t i = 0; (i = next++) < count;) {
      const uint64_t offset = scattered(first + i, pages) * kPage;
      expect(pread(fd, page, kPage, static_cast<off_t>(offset)) == kPage, path);
    }
  };
  const auto start = Clock::now();
  std::vector<std::thread> readers;
  for (unsigned i = 1; i < threads; ++i) readers.emplace_back(read_some);
  read_some();
  for (std::thread& reader : readers) reader.join();
  fmt::print("{}\n", static_cast<double>(count) / seconds_since(start));
  return 0;
}

struct Blocked {
  int fd;
  uint64_t page;
};

void* read_one_page(void* argument) {
  const auto& blocked = *static_cast<Blocked*>(argument);
  char page[kPage];
  expect(pread(blocked.fd, page, kPage, static_cast<off_t>(blocked.page * kPage)) >= 0, "read");
  return nullptr;
}

int crowd(const char* path, uint64_t count) {
  const int fd = open_to_read(path);
  const uint64_t pages = pages_of(fd);
  posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kSmallStack);
  std::vector<Blocked> blocked(count);
  for (uint64_t i = 0; i < count; ++i) {
    blocked[i] = {fd, scattered(i, pages)};
    pthread_t thread{};
    errno = pthread_create(&thread, &attributes, read_one_page, &blocked[i]);
    expect(errno == 0, "pthread_create");
  }
  fmt::print("begun\n");
  std::fflush(stdout);
  pause();
  return 1;
}

uint64_t number(const char* text) {
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "sequential" && argc > 2) return sequential(argc - 2, argv + 2);
  if (what == "random" && argc == 6) {
    return random_reads(argv[2], static_cast<unsigned>(number(argv[3])), number(argv[4]),
                        number(argv[5]) * number(argv[4]));
  }
  if (what == "crowd" && argc == 4) return crowd(argv[2], number(argv[3]));
  fmt::print(stderr,
             "usage: mount_client sequential FILE... | random FILE THREADS COUNT FIRST | "
             "crowd FILE COUNT\n");
  return 2;
}
