// All mounted images of one server, and `mount`, the file that mounts them.
//
// Writing "OPTIONS\nMOUNTPOINT" to it is mount("none", MOUNTPOINT, "erofs", 0, OPTIONS), MOUNTPOINT
// being the writer's, and answers with its errno: EINVAL also for text of another form, EOPNOTSUPP
// while a recording is made. Unmounting is umount(2)'s; the images' blobs are then given back by a
// fiber. Thread rules: the host's thread, on fibers.
#pragma once

#include <list>
#include <memory>

#include "fuse/mount/erofs_mount.h"

namespace coldread::fuse {

class ErofsMounts {
 public:
  // `submit` takes a request that has its table of nodes.
  ErofsMounts(Host& host, Kernel& kernel, AllReadCounts& counts, Session::Submit submit,
              Session::Interrupt interrupt);

  // mount(2): as ErofsMount::mount().
  int mount(const ErofsOptions& options, const std::string& name, const ErofsMount::Attach& attach);
  // Gives back what unmounted images had; returns when all have, also those that others take down.
  void settle();
  const Profile& profile() const { return kernel_.profile; }

  // No request comes in any more; then, when nobody reads, everything ends.
  void stop_reading();
  void unmount_all();
  // At once, from any thread that the host's has ended for: whoever waits gets an error.
  void disconnect();

 private:
  void reap();
  void take_down(std::list<std::shared_ptr<ErofsMount>>::iterator which);

  Host& host_;
  Kernel& kernel_;
  const Session::Submit submit_;
  const Session::Interrupt interrupt_;
  ErofsBlobs blobs_;
  std::list<std::shared_ptr<ErofsMount>> mounts_;
  unsigned ending_ = 0;  // are being taken down
};

inline constexpr fuse_ino_t kMountInode = 4;  // others are counted, and in recordings

class MountFile final : public Node {
 public:
  explicit MountFile(ErofsMounts& mounts) : mounts_(mounts) {}

  std::string path() const override { return "mount"; }
  Attributes attributes() override { return {S_IFREG | 0200, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void write(Request& request) override;
  void setattr(Request& request) override { table->reply_attributes(request, *this); }

 private:
  ErofsMounts& mounts_;
};

}  // namespace coldread::fuse
