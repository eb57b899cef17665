// The floor below a cold read: the FUSE requests it takes, answered by a server that does nothing.
//
// usage: empty_server MOUNTPOINT BYTES       until a signal; prints "ready"
//
// `file` has BYTES. A read of it waits for a daemon, which this program starts beside the server:
// it polls `device`, reads a message there, writes the range to `anon` and completes it with an
// ioctl, call by call as a daemon of cachefiles' on-demand mode does. Nothing is kept: what is
// written is dropped and what is read is zeros.
#define FUSE_USE_VERSION 312
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr fuse_ino_t kFile = 2, kDevice = 3, kAnon = 4;
constexpr const char* kNames[] = {"file", "device", "anon"};
constexpr unsigned kComplete = _IO(0x98, 1);
constexpr size_t kLongest = 1 << 20;

struct Message {
  uint64_t id, offset, length;
};

// All there is: reads that wait, and who polls for them.
struct State {
  off_t bytes = 0;
  uint64_t last_id = 0;
  std::map<uint64_t, std::pair<fuse_req_t, size_t>> reads;
  std::deque<Message> messages;
  fuse_pollhandle* poller = nullptr;
  std::vector<char> zeros = std::vector<char>(kLongest);
};

State& state(fuse_req_t request) {
  return *static_cast<State*>(fuse_req_userdata(request));
}

struct stat attributes_of(fuse_req_t request, fuse_ino_t inode) {
  struct stat status {};
  status.st_ino = inode;
  status.st_mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0600;
  status.st_size = inode == kFile ? state(request).bytes : 0;
  status.st_nlink = 1;
  return status;
}

void init(void*, fuse_conn_info* connection) {
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_ASYNC_READ);  // as Coldread
}

void lookup(fuse_req_t request, fuse_ino_t, const char* name) {
  for (fuse_ino_t inode = kFile; inode <= kAnon; ++inode) {
    if (std::strcmp(name, kNames[inode - kFile]) != 0) continue;
    fuse_entry_param entry{};
    entry.ino = inode;
    entry.attr = attributes_of(request, inode);
    entry.attr_timeout = entry.entry_timeout = 3600;
    fuse_reply_entry(request, &entry);
    return;
  }
  fuse_reply_err(request, ENOENT);
}

void getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const struct stat status = attributes_of(request, inode);
  fuse_reply_attr(request, &status, 3600);
}

void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  file->direct_io = inode != kFile;
  fuse_reply_open(request, file);
}

// A read of the file waits; one of the device brings a message, or nothing.
void read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset, fuse_file_info*) {
  State& all = state(request);
  if (inode == kDevice) {
    if (all.messages.empty()) {
      fuse_reply_buf(request, nullptr, 0);
      return;
    }
    const Message message = all.messages.front();
    all.messages.pop_front();
    fuse_reply_buf(request, reinterpret_cast<const char*>(&message), sizeof(message));
    return;
  }
  const auto id = ++all.last_id;
  all.reads[id] = {request, std::min(size, kLongest)};
  all.messages.push_back({id, static_cast<uint64_t>(offset), size});
  if (all.poller == nullptr) return;
  fuse_lowlevel_notify_poll(all.poller);
  fuse_pollhandle_destroy(std::exchange(all.poller, nullptr));
}

void write(fuse_req_t request, fuse_ino_t, const char*, size_t size, off_t, fuse_file_info*) {
  fuse_reply_write(request, size);
}

void ioctl(fuse_req_t request, fuse_ino_t, unsigned, void* argument, fuse_file_info*, unsigned,
           const void*, size_t, size_t) {
  State& all = state(request);
  const auto found = all.reads.find(reinterpret_cast<uintptr_t>(argument));
  if (found == all.reads.end()) {
    fuse_reply_err(request, EINVAL);
    return;
  }
  const auto [reader, size] = found->second;
  all.reads.erase(found);
  fuse_reply_buf(reader, all.zeros.data(), size);
  fuse_reply_ioctl(request, 0, nullptr, 0);
}

void poll(fuse_req_t request, fuse_ino_t, fuse_file_info*, fuse_pollhandle* handle) {
  State& all = state(request);
  if (handle != nullptr) {
    if (all.poller != nullptr) fuse_pollhandle_destroy(all.poller);
    all.poller = handle;
  }
  fuse_reply_poll(request, all.messages.empty() ? 0 : POLLIN);
}

fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops table{};
  table.init = init;
  table.lookup = lookup;
  table.getattr = getattr;
  table.open = open;
  table.read = read;
  table.write = write;
  table.ioctl = ioctl;
  table.poll = poll;
  return table;
}

void expect(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

// The daemon, which ends with the server.
[[noreturn]] void serve(const std::string& mountpoint) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int device = ::open((mountpoint + "/device").c_str(), O_RDWR | O_CLOEXEC);
  const int anon = ::open((mountpoint + "/anon").c_str(), O_WRONLY | O_CLOEXEC);
  expect(device >= 0 && anon >= 0, mountpoint.c_str());
  void* data = nullptr;
  expect(posix_memalign(&data, 4096, kLongest) == 0, "posix_memalign");
  std::memset(data, 0, kLongest);
  std::printf("ready\n");
  std::fflush(stdout);
  while (true) {
    pollfd waited{device, POLLIN, 0};
    Message message{};
    ::poll(&waited, 1, -1);
    const ssize_t got = ::read(device, &message, sizeof(message));
    if (got < 0) _exit(0);
    if (got == 0) continue;
    const auto written = pwrite(anon, data, message.length, static_cast<off_t>(message.offset));
    expect(written == static_cast<ssize_t>(message.length), "pwrite");
    expect(::ioctl(anon, kComplete, message.id) == 0, "ioctl");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: empty_server MOUNTPOINT BYTES\n");
    return 2;
  }
  State all;
  all.bytes = static_cast<off_t>(std::strtoll(argv[2], nullptr, 10));
  const fuse_lowlevel_ops table = operations();
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  fuse_opt_add_arg(&arguments, "empty_server");
  fuse_session* const session = fuse_session_new(&arguments, &table, sizeof(table), &all);
  expect(session != nullptr && fuse_session_mount(session, argv[1]) == 0, argv[1]);
  fuse_set_signal_handlers(session);
  const pid_t daemon = fork();
  expect(daemon >= 0, "fork");
  if (daemon == 0) serve(argv[1]);
  fuse_session_loop(session);
  kill(daemon, SIGKILL);
  waitpid(daemon, nullptr, 0);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  fuse_opt_free_args(&arguments);
  return 0;
}
