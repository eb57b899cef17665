// A daemon that stops itself at the Nth of its steps, before or after a system call on the device
// or an object, so that it can be killed there.
//
// usage: stepping_daemon [DEVICE ANON]
//
// With DEVICE and ANON it is a client of a mount, without an unmodified daemon that finds
// /dev/cachefiles. What runs first is a nursery, which takes lines from standard input:
//   daemon CACHE STEP    starts a daemon that stops at this step: a number (0: at none) or the
//                        name of a call, before which it stops
//   keep CACHE           binds the cache itself and keeps the device, and from then on
//                        copies of the objects' descriptors for those who come
//   successor STEP       starts a daemon on what is kept, which writes "restore"
//   release              closes what is kept
//   run PROGRAM WORD...  starts a program in a process group of its own
//   end                  kills such groups
// and at the end of its input ends with all its children. READs of keys that begin with "mute" are
// never answered. Everybody tells on standard output, a
// line for each thing that happened.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/player/message.h"
#include "tests/fuse/faults/pattern.h"

namespace coldread::faults {
namespace {

using player::Message;

constexpr unsigned long kCompleteThroughMount = _IO(0x98, 1);

std::string device_path = "/dev/cachefiles";
std::string anon_path;  // empty: descriptors come with OPEN

// One line, in one piece.
[[gnu::format(printf, 1, 2)]] void tell(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(line, sizeof(line) - 1, format, arguments);
  va_end(arguments);
  line[length] = '\n';
  if (write(STDOUT_FILENO, line, static_cast<size_t>(length) + 1) < 0) _exit(9);
}

struct Object {
  int fd = -1;
  std::string key;
};
using Objects = std::map<uint32_t, Object>;

int send_command(int device, const std::string& text) {
  return static_cast<int>(write(device, text.data(), text.size()));
}

// --- what is kept for successors ----------------------------------------------------------------

struct Label {
  uint32_t object = 0;
  char key[256] = {};
};

// With a descriptor: to be kept; without: to be forgotten. Returns when that is done.
void hand_over(int keeper, uint32_t id, const Object& object) {
  Label label{id, {}};
  object.key.copy(label.key, sizeof(label.key) - 1);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&label, sizeof(label)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (object.fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &object.fd, sizeof(int));
  }
  char done = 0;
  if (sendmsg(keeper, &message, MSG_NOSIGNAL) > 0) (void)!read(keeper, &done, 1);
}

void take_over(int from, Objects& kept) {
  Label label;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec data{&label, sizeof(label)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != sizeof(label)) return;
  Object object{-1, label.key};
  if (const cmsghdr* const header = CMSG_FIRSTHDR(&message); header != nullptr)
    std::memcpy(&object.fd, CMSG_DATA(header), sizeof(int));
  if (const auto old = kept.find(label.object); old != kept.end()) {
    close(old->second.fd);
    kept.erase(old);
  }
  if (object.fd >= 0) kept[label.object] = object;
  (void)!write(from, "", 1);
}

// --- the daemon ---------------------------------------------------------------------------------

class Daemon {
 public:
  explicit Daemon(const std::string& stop_at)
      : stop_at_(std::strtol(stop_at.c_str(), nullptr, 10)), stop_before_(stop_at) {}

  [[noreturn]] void start(const std::string& cache) {
    device_ = call("open device", [] { return open(device_path.c_str(), O_RDWR | O_CLOEXEC); });
    if (device_ < 0) _exit(1);
    for (const std::string& text :
         {"dir " + cache, std::string("tag t"), std::string("bind ondemand")})
      if (call(text.substr(0, 4).c_str(), [&] { return send_command(device_, text); }) < 0)
        _exit(1);
    tell("ready");
    serve();
  }

  [[noreturn]] void go_on(int device, int keeper, Objects objects) {
    device_ = device;
    keeper_ = keeper;
    objects_ = std::move(objects);
    // The first one has nothing to restore, which does no harm.
    if (call("restore", [&] { return send_command(device_, "restore"); }) < 0) _exit(1);
    tell("ready");
    serve();
  }

 private:
  void step(const char* when, const char* name) {
    const bool named = when[0] == 'b' && stop_before_ == name;
    if (++step_ != stop_at_ && !named) return;
    tell("step %ld %s %s", step_, when, name);
    while (true) pause();
  }

  // A system call between its two steps. `and_then` is told what came of it before the second.
  template <typename Function, typename AndThen>
  std::invoke_result_t<Function> call(const char* name, Function function, AndThen and_then) {
    step("before", name);
    const auto result = function();
    const int error = errno;
    if (result < 0)
      tell("failed %s %d", name, error);
    else
      and_then();
    step("after", name);
    return result;
  }
  template <typename Function>
  std::invoke_result_t<Function> call(const char* name, Function function) {
    return call(name, function, [] {});
  }

  [[noreturn]] void serve() {
    bool served = false;
    while (!served || open_ > 0 || stop_at_ == 0) {
      pollfd wanted{device_, POLLIN, 0};
      call("poll", [&] { return poll(&wanted, 1, -1); });
      if ((wanted.revents & POLLERR) != 0) tell("failed poll %d", EIO);
      char buffer[1024];
      ssize_t got = -1;
      std::optional<Message> message;
      const auto read_one = [&] { return got = read(device_, buffer, sizeof(buffer)); };
      call("read", read_one, [&] {
        message =
            player::decode_message(std::as_bytes(std::span(buffer, static_cast<size_t>(got))));
        if (message && message->opcode == player::kOpClose) tell_of_close(message->object_id);
      });
      if (got < 0) _exit(1);
      if (!message) continue;
      if (message->opcode == player::kOpOpen) answer_open(*message);
      if (message->opcode == player::kOpRead) answer_read(*message);
      if (message->opcode == player::kOpClose) answer_close(*message);
      served = true;
    }
    call("close device", [&] { return close(device_); });
    _exit(0);
  }

  void tell_of_close(uint32_t id) const {
    const auto found = objects_.find(id);
    tell("close %s", found != objects_.end() ? found->second.key.c_str() : "?");
  }

  void answer_open(const Message& message) {
    Object object{
        message.fd,
        {reinterpret_cast<const char*>(message.cookie_key.data()), message.cookie_key.size()}};
    if (!anon_path.empty()) {
      const std::string path = anon_path + "/" + std::to_string(message.object_id);
      object.fd = call("open anon", [&] { return open(path.c_str(), O_WRONLY | O_CLOEXEC); });
      if (object.fd < 0) return;
    }
    objects_[message.object_id] = object;
    open_++;
    const std::string answer =
        "copen " + std::to_string(message.msg_id) + "," + std::to_string(size_of(object.key));
    call("copen", [&] { return send_command(device_, answer); });
    if (keeper_ >= 0) hand_over(keeper_, message.object_id, object);
  }

  // In two pieces, if it has two blocks.
  void answer_read(const Message& message) {
    const auto found = objects_.find(message.object_id);
    if (found == objects_.end()) return;
    const Object& object = found->second;
    if (object.key.starts_with("mute")) return;
    tell("asked %s %llu %llu", object.key.c_str(), static_cast<unsigned long long>(message.off),
         static_cast<unsigned long long>(message.length));
    const uint64_t half = message.length / 2 / kBlock * kBlock;
    if (half != 0) put(object, message.off, half);
    put(object, message.off + half, message.length - half);
    const unsigned long request = anon_path.empty() ? player::kReadComplete : kCompleteThroughMount;
    call("complete",
         [&] { return ioctl(object.fd, request, static_cast<unsigned long>(message.msg_id)); });
  }

  void put(const Object& object, uint64_t offset, uint64_t length) {
    std::vector<std::byte> data(length);
    Pattern(object.key).fill(data, offset);
    call(
        "pwrite",
        [&] { return pwrite(object.fd, data.data(), data.size(), static_cast<off_t>(offset)); },
        [&] {
          tell("wrote %s %llu %llu", object.key.c_str(), static_cast<unsigned long long>(offset),
               static_cast<unsigned long long>(length));
        });
  }

  void answer_close(const Message& message) {
    const auto found = objects_.find(message.object_id);
    if (found == objects_.end()) return;
    const Object object = found->second;
    objects_.erase(found);
    open_--;
    call("close anon", [&] { return close(object.fd); });
    if (keeper_ >= 0) hand_over(keeper_, message.object_id, {});
    tell("closed %s", object.key.c_str());
  }

  long step_ = 0;
  const long stop_at_;
  const std::string stop_before_;
  int device_ = -1;
  int keeper_ = -1;
  Objects objects_;
  int open_ = 0;  // by this daemon, less those that were closed
};

// --- the nursery --------------------------------------------------------------------------------

class Nursery {
 public:
  [[noreturn]] void run() {
    tell("nursery");
    while (true) {
      pollfd wanted[] = {{STDIN_FILENO, POLLIN, 0}, {socket_, POLLIN, 0}, {child_, POLLIN, 0}};
      if (poll(wanted, 3, -1) < 0) continue;
      if (wanted[1].revents != 0) take_over(socket_, kept_);
      if (wanted[2].revents != 0) reap();
      if (wanted[0].revents != 0) take_line();
    }
  }

 private:
  void reap() {
    int status = 0;
    waitpid(pid_, &status, 0);
    for (int* fd : {&child_, &socket_}) close(std::exchange(*fd, -1));
    tell("ended %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }

  void take_line() {
    std::string line;
    for (char byte = 0; byte != '\n'; line += byte)
      if (read(STDIN_FILENO, &byte, 1) != 1) _exit(0);
    std::istringstream words(line);
    std::string what, cache, stop_at;
    words >> what;
    if (what == "daemon") {
      words >> cache >> stop_at;
      start([&](int) { Daemon(stop_at).start(cache); });
    } else if (what == "successor") {
      words >> stop_at;
      start([&](int keeper) { Daemon(stop_at).go_on(device_, keeper, kept_); });
    } else if (what == "keep") {
      words >> cache;
      device_ = open(device_path.c_str(), O_RDWR);
      const bool bound = send_command(device_, "dir " + cache) > 0 &&
                         send_command(device_, "tag t") > 0 &&
                         send_command(device_, "bind ondemand") > 0;
      if (bound)
        tell("kept");
      else
        tell("failed keep %d", errno);
    } else if (what == "release") {
      for (const auto& [id, object] : kept_) close(object.fd);
      kept_.clear();
      close(std::exchange(device_, -1));
      tell("released");
    } else if (what == "run") {
      run_program({std::istream_iterator<std::string>(words), {}});
    } else if (what == "end") {
      for (const pid_t program : programs_) {
        kill(-program, SIGKILL);
        waitpid(program, nullptr, 0);
      }
      programs_.clear();
      tell("ended programs");
    }
  }

  void run_program(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t pid = fork();
    if (pid == 0) {
      setpgid(0, 0);
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);  // the lines are not for it
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    setpgid(pid, pid);
    programs_.push_back(pid);
  }

  template <typename Function>
  void start(Function function) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) < 0) _exit(1);
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      close(sockets[0]);
      function(sockets[1]);
      _exit(0);
    }
    close(sockets[1]);
    socket_ = sockets[0];
    pid_ = pid;
    child_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    tell("daemon %d", pid);
  }

  int device_ = -1;  // kept
  Objects kept_;
  pid_t pid_ = -1;   // of a daemon
  int child_ = -1;   // its pidfd
  int socket_ = -1;  // from it
  std::vector<pid_t> programs_;
};

}  // namespace
}  // namespace coldread::faults

int main(int argc, char** argv) {
  if (argc == 3) {
    coldread::faults::device_path = argv[1];
    coldread::faults::anon_path = argv[2];
  }
  std::signal(SIGTERM, SIG_IGN);  // which comes when a supervisor dies
  coldread::faults::Nursery().run();
}
