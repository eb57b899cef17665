// What the supervisor needs of the server whose images programs mount, and whose kernel log they
// read.
//
// Thread rules: from any thread but the host's; calls wait until they are answered, `wanted()` no
// longer holds (-EINTR) or the server has stopped (-EIO). Lifetime: outlives the Supervisor.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace coldread::fuse {

class MountService {
 public:
  using Wanted = std::function<bool()>;
  // Makes the file system of an open /dev/fuse: 0 or a negative errno. From any thread.
  using Attach = std::function<int(int connection)>;

  // Whether the kernel's EROFS knows a mount option, "fsid=a" or "acl": 0 or -EINVAL.
  virtual int check_option(const std::string& option) const = 0;
  // mount(2) of an image with these options, or the errno it would fail with. `name` is for who
  // looks on. -EOPNOTSUPP while a recording is made.
  virtual int mount(const std::vector<std::string>& options, const std::string& name, Attach attach,
                    Wanted wanted) = 0;
  // Somebody may have unmounted an image: returns when the kernel has let go of it.
  virtual void unmounted(Wanted wanted) = 0;
  // Was remounted, with options of which EROFS says in its log that it ignores them.
  virtual void ignored_options() = 0;

  // syslog(2)'s READ_ALL: the newest `size` bytes, whole lines, and from now on no more of what
  // there was if `clear`. SIZE_BUFFER's answer.
  virtual std::string kernel_log(size_t size, bool clear) = 0;
  static constexpr int kKernelLogSize = 1 << 17;

 protected:
  MountService() = default;
  ~MountService() = default;
};

}  // namespace coldread::fuse
