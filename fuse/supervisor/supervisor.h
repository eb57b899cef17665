// Shows the device to programs on a machine that has none: answers the system calls that their
// filter lets it look at, and hands those on the device to the server.
//
// Calls are received one at a time, by whoever calls receive(): the server's own thread, since each
// switch to another one counts, and when that has ended one made for it. Calls on descriptors are
// handed to the server at once. Those that name files, copy descriptors or mount may wait: a path
// may be in a mapped file for which its daemon is being asked. They have threads of their own; when
// hundreds wait so, such calls are no longer looked at. The server must not wait for any. What is
// not about the device goes to the kernel untouched.
#pragma once

#include <linux/seccomp.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fuse/supervisor/device_service.h"
#include "fuse/supervisor/listener.h"
#include "fuse/supervisor/mount_calls.h"
#include "fuse/supervisor/redirect.h"
#include "fuse/supervisor/watched_range.h"

namespace coldread::fuse {

class Supervisor {
 public:
  // Takes over the descriptor of the listener. The services outlive it; without `mounts` they are
  // the kernel's.
  Supervisor(int listener, WatchedRange range, DeviceService& service,
             MountService* mounts = nullptr);
  // Stops receiving; nobody else does any more. Calls that were handed to the server may still be
  // answered.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Readable while there is something to receive.
  int listener() const { return listener_->fd(); }
  // Receives a call, if there is one, and does not wait. False: nobody has the filter any more. One
  // thread at a time, before receive_alone().
  bool receive();
  // From now on a thread of the supervisor's receives. More than once is no more than once.
  void receive_alone();

  // For a read of the device that came to the server by itself, at a number that is not watched:
  // has its thread, which waits for it to be answered, repeat it as a read that is looked at, when
  // it has been answered (with anything). False: that cannot be done; the thread reads on as ever.
  // Any thread; not after the destructor has begun.
  bool redirect(pid_t thread);

 private:
  void hand_over(const seccomp_notif& call);
  bool start_worker();
  void work();
  void handle(const seccomp_notif& call);
  void open(const seccomp_notif& call);
  void open_device(const seccomp_notif& call, uint64_t flags);
  void read(const seccomp_notif& call);
  void on_file(const seccomp_notif& call);
  void duplicate(const seccomp_notif& call);
  DeviceService::Kind kind_of(pid_t thread, int fd) const;
  int free_number(pid_t thread, int from) const;  // in the range; -1: none
  int give(const seccomp_notif& call, int fd, int number, bool close_on_exec) const;

  std::shared_ptr<Listener> listener_;
  WatchedRange range_;
  DeviceService& service_;
  std::unique_ptr<MountCalls> mounts_;
  int stop_;  // an eventfd
  Redirections redirections_;

  std::mutex opening_;  // the device
  std::mutex copying_;  // a program's descriptor

  std::mutex lock_;       // of what follows
  std::thread receiver_;  // once it receives alone
  std::condition_variable arrived_;
  std::deque<seccomp_notif> calls_;  // that may wait and that nobody has begun
  std::vector<std::thread> workers_;
  size_t idle_ = 0;  // of them
  bool ending_ = false;
};

}  // namespace coldread::fuse
