// libfuse's side: operations become Requests.
#include "fuse/mount/session.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fuse/mount/node.h"

namespace coldread::fuse {
namespace {

// A write of the daemon's may only be cut at whole pages, since each part is direct I/O. The kernel
// cuts at max_write bytes and at max_pages pages, of which memory that begins within a page takes
// one more. libfuse would make both equal.
constexpr unsigned kMaxPages = 256;  // the kernel's own limit
constexpr unsigned kMaxWrite = (kMaxPages - 1) * 4096;

ssize_t read_request(int fd, void* buffer, size_t size, void*) {
  return ::read(fd, buffer, size);
}

}  // namespace

// The callbacks of fuse_lowlevel_ops. Each copies its arguments.
struct Operations {
  static Session& session(fuse_req_t request) {
    return *static_cast<Session*>(fuse_req_userdata(request));
  }

  static std::unique_ptr<Request> make(fuse_req_t raw, const char* name, Request::Handler handler,
                                       fuse_ino_t inode, const fuse_file_info* file = nullptr) {
    auto request = std::make_unique<Request>(raw, name, handler, session(raw).pool_);
    request->ino = inode;
    if (file != nullptr) {
      request->flags = file->flags;
      request->handle = file->fh;
    }
    return request;
  }

  static void submit(fuse_req_t raw, std::unique_ptr<Request> request) {
    session(raw).submit_(std::move(request));
  }

  static void interrupt(fuse_req_t raw, void* serial) {
    session(raw).interrupt_(reinterpret_cast<uint64_t>(serial));
  }

  // Answers leave through here.
  static ssize_t write_answer(int fd, iovec* parts, int count, void* userdata) {
    const bool to_init = std::exchange(static_cast<Session*>(userdata)->answers_init_, false);
    if (to_init && count == 2 && parts[1].iov_len == sizeof(fuse_init_out)) {
      auto& answer = *static_cast<fuse_init_out*>(parts[1].iov_base);
      if ((answer.flags & FUSE_MAX_PAGES) != 0) answer.max_pages = kMaxPages;
    }
    return writev(fd, parts, count);
  }

  static void init(void* userdata, fuse_conn_info* connection) {
    auto& session = *static_cast<Session*>(userdata);
    session.answers_init_ = true;  // as soon as this returns
    if (session.access_lists_) connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
    // Reads of different files would wait for each other, and killed readers send no INTERRUPT.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_ASYNC_READ);
    // What has been read stays read: files change only when their cookies do.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
    connection->max_write = kMaxWrite;
    // RELEASE is all that counts as background; a slow one must not hold up the others.
    connection->max_background = 4096;
    connection->congestion_threshold = 4096;
  }

  static void lookup(fuse_req_t raw, fuse_ino_t parent, const char* name) {
    auto request = make(raw, "lookup", &Node::lookup, parent);
    request->name = name;
    submit(raw, std::move(request));
  }
  static void forget(fuse_req_t raw, fuse_ino_t inode, uint64_t lookups) {
    auto request = make(raw, "forget", &Node::forget, inode);
    request->argument = lookups;
    submit(raw, std::move(request));
  }
  static void getattr(fuse_req_t raw, fuse_ino_t inode, fuse_file_info* file) {
    submit(raw, make(raw, "getattr", &Node::getattr, inode, file));
  }
  static void setattr(fuse_req_t raw, fuse_ino_t inode, struct stat* attributes, int to_set,
                      fuse_file_info*) {
    auto request = make(raw, "setattr", &Node::setattr, inode);
    request->flags = to_set;
    request->size = static_cast<size_t>(attributes->st_size);
    submit(raw, std::move(request));
  }
  static void mkdir(fuse_req_t raw, fuse_ino_t parent, const char* name, mode_t) {
    auto request = make(raw, "mkdir", &Node::mkdir, parent);
    request->name = name;
    submit(raw, std::move(request));
  }
  static void unlink(fuse_req_t raw, fuse_ino_t parent, const char* name) {
    auto request = make(raw, "unlink", &Node::unlink, parent);
    request->name = name;
    submit(raw, std::move(request));
  }
  static void rmdir(fuse_req_t raw, fuse_ino_t parent, const char* name) {
    auto request = make(raw, "rmdir", &Node::rmdir, parent);
    request->name = name;
    submit(raw, std::move(request));
  }
  static void readdir(fuse_req_t raw, fuse_ino_t inode, size_t size, off_t offset,
                      fuse_file_info*) {
    auto request = make(raw, "readdir", &Node::readdir, inode);
    request->size = size;
    request->offset = offset;
    submit(raw, std::move(request));
  }
  static void open(fuse_req_t raw, fuse_ino_t inode, fuse_file_info* file) {
    submit(raw, make(raw, "open", &Node::open, inode, file));
  }
  static void release(fuse_req_t raw, fuse_ino_t inode, fuse_file_info* file) {
    submit(raw, make(raw, "release", &Node::release, inode, file));
  }
  static void read(fuse_req_t raw, fuse_ino_t inode, size_t size, off_t offset,
                   fuse_file_info* file) {
    auto request = make(raw, "read", &Node::read, inode, file);
    request->size = size;
    request->offset = offset;
    submit(raw, std::move(request));
  }
  static void write(fuse_req_t raw, fuse_ino_t inode, const char* data, size_t size, off_t offset,
                    fuse_file_info* file) {
    auto request = make(raw, "write", &Node::write, inode, file);
    std::memcpy(request->data.get(size).data(), data, size);
    request->size = size;
    request->offset = offset;
    submit(raw, std::move(request));
  }
  static void lseek(fuse_req_t raw, fuse_ino_t inode, off_t offset, int whence,
                    fuse_file_info* file) {
    auto request = make(raw, "lseek", &Node::lseek, inode, file);
    request->offset = offset;
    request->whence = whence;
    submit(raw, std::move(request));
  }
  static void ioctl(fuse_req_t raw, fuse_ino_t inode, unsigned command, void* argument,
                    fuse_file_info* file, unsigned, const void* in, size_t in_size, size_t) {
    auto request = make(raw, "ioctl", &Node::ioctl, inode, file);
    request->command = command;
    request->argument = reinterpret_cast<uint64_t>(argument);
    if (in_size != 0) std::memcpy(request->data.get(in_size).data(), in, in_size);
    submit(raw, std::move(request));
  }
  static void poll(fuse_req_t raw, fuse_ino_t inode, fuse_file_info* file,
                   fuse_pollhandle* handle) {
    auto request = make(raw, "poll", &Node::poll, inode, file);
    if (handle != nullptr) request->poll_handle = std::make_unique<PollHandle>(handle);
    submit(raw, std::move(request));
  }
  static void fallocate(fuse_req_t raw, fuse_ino_t inode, int, off_t, off_t, fuse_file_info* file) {
    submit(raw, make(raw, "fallocate", &Node::fallocate, inode, file));
  }
  static void fsync(fuse_req_t raw, fuse_ino_t inode, int, fuse_file_info* file) {
    submit(raw, make(raw, "fsync", &Node::fsync, inode, file));
  }

  static void readlink(fuse_req_t raw, fuse_ino_t inode) {
    submit(raw, make(raw, "readlink", &Node::readlink, inode));
  }
  static void getxattr(fuse_req_t raw, fuse_ino_t inode, const char* name, size_t size) {
    auto request = make(raw, "getxattr", &Node::getxattr, inode);
    request->name = name;
    request->size = size;
    submit(raw, std::move(request));
  }
  static void listxattr(fuse_req_t raw, fuse_ino_t inode, size_t size) {
    auto request = make(raw, "listxattr", &Node::listxattr, inode);
    request->size = size;
    submit(raw, std::move(request));
  }
  static void statfs(fuse_req_t raw, fuse_ino_t inode) {
    submit(raw, make(raw, "statfs", &Node::statfs, inode));
  }

  static fuse_lowlevel_ops table() {
    fuse_lowlevel_ops result{};
    result.init = init;
    result.lookup = lookup;
    result.forget = forget;
    result.getattr = getattr;
    result.setattr = setattr;
    result.mkdir = mkdir;
    result.unlink = unlink;
    result.rmdir = rmdir;
    result.readdir = readdir;
    result.open = open;
    result.release = release;
    result.read = read;
    result.write = write;
    result.lseek = lseek;
    result.ioctl = ioctl;
    result.poll = poll;
    result.fallocate = fallocate;
    result.fsync = fsync;
    result.readlink = readlink;
    result.getxattr = getxattr;
    result.listxattr = listxattr;
    result.statfs = statfs;
    return result;
  }
};

void Session::create(const std::string& options) {
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  fuse_opt_add_arg(&arguments, "coldread");
  if (!options.empty()) {
    fuse_opt_add_arg(&arguments, "-o");
    fuse_opt_add_arg(&arguments, options.c_str());
  }
  const fuse_lowlevel_ops operations = Operations::table();
  session_ = fuse_session_new(&arguments, &operations, sizeof(operations), this);
  fuse_opt_free_args(&arguments);
}

bool Session::mount_session(const char* where) {
  if (fuse_session_mount(session_, where) != 0) {
    fuse_session_destroy(session_);
    session_ = nullptr;
    return false;
  }
  const int fd = fuse_session_fd(session_);
  fuse_custom_io io{};
  io.writev = Operations::write_answer;
  io.read = read_request;
  fuse_session_custom_io(session_, &io, fd);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return true;
}

Status Session::mount(const std::string& mountpoint, const SessionOptions& wanted) {
  std::string options = wanted.options + ",default_permissions";
  if (geteuid() == 0) options += ",allow_other";
  create(options);
  if (session_ == nullptr) return Error{"libfuse refused its own options: " + options};
  if (!mount_session(mountpoint.c_str())) {
    return Error{mountpoint +
                 ": cannot be mounted; expected a directory, and /dev/fuse (or fusermount3 for "
                 "users other than root)"};
  }
  return Nothing{};
}

int Session::connect() {
  const int fd = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) return -errno;
  create("");
  // libfuse's name for a connection that is there already.
  if (session_ != nullptr && mount_session(("/dev/fd/" + std::to_string(fd)).c_str())) return fd;
  ::close(fd);
  return -ENOMEM;
}

void Session::begin(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  fd_ = fuse_session_fd(session_);
  host_.watch(fd_, [this] { receive(); });
}

bool Session::ended() const {
  if (session_ == nullptr) return true;
  pollfd connection{fuse_session_fd(session_), 0, 0};
  return poll(&connection, 1, 0) == 1;  // nothing but errors was asked for
}

void Session::receive() {
  const int got = fuse_session_receive_buf(session_, &buffer_);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got > 0) {
    fuse_session_process_buf(session_, &buffer_);
    return;
  }
  stop_reading();
  on_end_();
}

void Session::watch_signals(const Request& request) {
  // Not the request itself, which may be gone when the signal comes.
  void* const serial = reinterpret_cast<void*>(request.serial);  // NOLINT(*-no-int-to-ptr)
  fuse_req_interrupt_func(request.raw(), Operations::interrupt, serial);
}

void Session::forget_attributes(fuse_ino_t inode) const {
  if (session_ == nullptr) return;                           // a replay, which nobody mounted
  fuse_lowlevel_notify_inval_inode(session_, inode, -1, 0);  // -1: no pages
}

void Session::stop_reading() {
  if (fd_ >= 0) host_.unwatch(fd_);
  fd_ = -1;
}

void Session::close() {
  if (session_ == nullptr) return;
  stop_reading();
  // Closes the connection before it unmounts, so nothing here can wait for ourselves.
  fuse_session_unmount(session_);
  fuse_session_destroy(session_);
  session_ = nullptr;
  std::free(buffer_.mem);
  buffer_ = {};
}

}  // namespace coldread::fuse
