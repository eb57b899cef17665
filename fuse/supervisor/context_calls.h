// Contexts of file systems to be mounted, which new versions of mount(8) use: fsopen(2),
// fsconfig(2), fspick(2).
//
// A context of type erofs that is told an fsid is for an image: then one of type fuse takes its
// place in the program, and when the program has it created, the daemon is asked first. What the
// program does with it then (fsmount, move_mount) is between it and the kernel. A context that was
// picked from a mounted image is for its remount.
//
// Threads: any but the supervisor's own, since calls wait for the daemon. Lifetime: the service's.
#pragma once

#include <linux/seccomp.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fuse/supervisor/listener.h"
#include "fuse/supervisor/mount_service.h"

namespace coldread::fuse {

class ContextCalls {
 public:
  ContextCalls(std::shared_ptr<Listener> listener, MountService& service)
      : listener_(std::move(listener)), service_(service) {}

  // Each answers its call.
  void open(const seccomp_notif& call);
  void pick(const seccomp_notif& call);
  void configure(const seccomp_notif& call);

 private:
  // What a program has, and what it has told it.
  struct Context {
    ~Context();
    // Another descriptor of the file that the program has; and of the one that is to replace it.
    int placed = -1;
    int fuse = -1;
    bool for_image = false;
    // For a remount there is neither, which would hold on to the image: it is known by its number.
    bool for_remount = false;
    pid_t process = 0;
    int number = -1;
    bool failed = false;
    std::string source = "none";
    std::vector<std::string> options;
    std::mutex mutex;  // of all this: calls on one context come one after the other
  };
  static constexpr size_t kMaxContexts = 64;  // then the oldest is forgotten, and is the kernel's

  std::shared_ptr<Context> find(const seccomp_notif& call);
  void keep(const std::shared_ptr<Context>& context);
  void forget(const std::shared_ptr<Context>& context);
  bool told(Context& context, const seccomp_notif& call, int* error);
  int add_option(Context& context, const seccomp_notif& call, const std::string& option);
  int create(const std::shared_ptr<Context>& context, const seccomp_notif& call);
  int reconfigure(const Context& context, const seccomp_notif& call);
  void forget_closed(const seccomp_notif& call);

  std::shared_ptr<Listener> listener_;
  MountService& service_;
  std::mutex mutex_;
  std::list<std::shared_ptr<Context>> contexts_;  // the newest last
};

}  // namespace coldread::fuse
