// A daemon whose threads serve patterns through a mount, as a client of it, and which can be told
// to behave badly.
//
// Keys that begin with "mute" get no READ answered, with "mute-open" no OPEN either; what begins
// with "victim" is served as BadService says, all others well.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "sim/player/message.h"

namespace coldread::faults {

// _IO(0x98, 1): READ_COMPLETE through the mount.
inline constexpr unsigned long kCompleteThroughMount = 0x9801;

// What a thread of the daemon may use for deeds of its own.
struct Tools {
  std::string mount;
  int device = -1;
  std::atomic<int> victim{-1};  // an object of which nobody expects anything
  std::mt19937 random{1};

  size_t below(size_t limit) { return random() % limit; }
  void say(const std::string& text) const;
  void complete(int fd, uint64_t id) const;
};

enum class BadService { none, twice, closes, silent };

class ThreadedDaemon {
 public:
  using Deed = void (*)(Tools&);

  // Uses `device`, or opens it (-1).
  explicit ThreadedDaemon(const std::string& mount, int device = -1,
                          BadService service = BadService::none);

  bool bind(const std::string& cache) const;
  // Serves with so many threads, while one does the deed again and again (null: none). Returns when
  // the device cannot be read any more.
  void run(int threads, Deed deed = nullptr);

 private:
  // A descriptor is closed when nobody works with it any more.
  struct Object {
    Object(int its_fd, std::string its_key) : fd(its_fd), key(std::move(its_key)) {}
    ~Object();
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    int fd;
    std::string key;
  };

  void serve();
  void answer_open(const player::Message& message);
  void answer_read(const player::Message& message);
  std::shared_ptr<Object> find(uint32_t id);
  void forget(uint32_t id);

  Tools tools_;
  const BadService service_;
  std::mutex lock_;
  std::map<uint32_t, std::shared_ptr<Object>> objects_;
};

}  // namespace coldread::faults
