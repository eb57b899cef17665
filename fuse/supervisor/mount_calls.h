// The system calls by which programs mount EROFS images on demand, taken over: mount(2),
// umount2(2), fsopen(2) and what belongs to it, and syslog(2), which reads what the kernel says of
// them.
//
// mount(2) with type erofs and fsid= is answered as a kernel with the mode would; all other mounts
// are between the program and the kernel. A mounted image is of type fuse.erofs; its umount and
// remount are made here, where the program stands, so that the modelled kernel has let go of the
// image when umount returns.
//
// Threads: handle() from any; it waits for the daemon. Lifetime: the service's; the destructor
// takes away mounts that are left in our own mount namespace and whose server has ended.
#pragma once

#include <linux/seccomp.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "fuse/supervisor/context_calls.h"
#include "fuse/supervisor/listener.h"
#include "fuse/supervisor/mount_service.h"

namespace coldread::fuse {

class MountCalls {
 public:
  MountCalls(std::shared_ptr<Listener> listener, MountService& service);
  ~MountCalls();
  MountCalls(const MountCalls&) = delete;
  MountCalls& operator=(const MountCalls&) = delete;

  // Whether it is such a call; then it has been answered.
  bool handle(const seccomp_notif& call);

 private:
  void mount(const seccomp_notif& call);
  void mount_image(const seccomp_notif& call, unsigned long flags, const std::string& data);
  void remount(const seccomp_notif& call, unsigned long flags);
  void unmount(const seccomp_notif& call);
  void read_log(const seccomp_notif& call);

  std::shared_ptr<Listener> listener_;
  MountService& service_;
  ContextCalls contexts_;
  std::mutex mutex_;
  std::vector<std::string> outside_;  // where our own mount namespace has images
};

// Options as mount(2) has them, cut at commas.
std::vector<std::string> split_options(const std::string& data);
// What begins with "fsid=" or the like; an image is mounted if there is an fsid.
bool has_option(const std::vector<std::string>& options, const std::string& key);
// 0, or -EINVAL if the kernel's EROFS does not know one of them.
int check_options(const MountService& service, const std::vector<std::string>& options);

}  // namespace coldread::fuse
