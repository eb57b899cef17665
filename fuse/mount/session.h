// The connection to FUSE: mounts, reads requests in order, hands them on.
//
// Requests are read on the host's thread, one after the other: with several readers a RELEASE and
// the next OPEN change places. Thread rules: mount() and close() while the host does not run, the
// rest, and begin(), on its thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "fuse/host/host.h"
#include "fuse/mount/request.h"
#include "sim/result.h"

namespace coldread::fuse {

struct SessionOptions {
  // As mount(8) has them; who may use it and how permissions are checked is added.
  std::string options = "fsname=coldread,subtype=coldread";
};

class Session {
 public:
  // Receives each request, which must end before the session does, on the host's thread and no
  // fiber.
  using Submit = std::function<void(std::unique_ptr<Request>)>;
  // Somebody who waits for the request of that serial number got a signal; not on a fiber either.
  using Interrupt = std::function<void(uint64_t serial)>;

  Session(Host& host, Submit submit, Interrupt interrupt)
      : host_(host), submit_(std::move(submit)), interrupt_(std::move(interrupt)) {}
  ~Session() { close(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // From any thread that may wait for the mountpoint. The error says what to do about it.
  Status mount(const std::string& mountpoint, const SessionOptions& options = {});
  // Instead of that: a connection whose file system somebody else makes and unmounts (create_erofs
  // in fuse_context.h). The session's /dev/fuse, or a negative errno. Before anybody looks there,
  // begin().
  int connect();

  // Before either: files' access lists decide who may do what, besides their permission bits.
  void enforce_access_lists() { access_lists_ = true; }

  // From now on requests are read. `on_end` is called on the host's thread when somebody has
  // unmounted the file system.
  void begin(std::function<void()> on_end);

  // Somebody has unmounted it, whether it was noticed yet or not.
  bool ended() const;

  // Signals that reach whoever waits for `request` are told. Before it is answered.
  static void watch_signals(const Request& request);

  // What was answered of this inode's attributes until now no longer counts, even if the kernel has
  // not yet read the answer.
  void forget_attributes(fuse_ino_t inode) const;

  // No request is read any more.
  void stop_reading();

  // Ends the connection, so that whoever waits for an answer gets an error, and unmounts. Every
  // Request must have been answered.
  void close();

 private:
  void receive();
  void create(const std::string& options);
  bool mount_session(const char* where);

  Host& host_;
  Submit submit_;
  Interrupt interrupt_;
  std::function<void()> on_end_;
  fuse_session* session_ = nullptr;
  fuse_buf buffer_{};
  BufferPool pool_;
  int fd_ = -1;  // while requests are read
  bool access_lists_ = false;
  bool answers_init_ = false;  // the next answer is the one to INIT

  friend struct Operations;
};

}  // namespace coldread::fuse
