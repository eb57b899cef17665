// One image mounted on demand: `mount -t erofs none -o fsid=...`, as a FUSE file system of its own.
//
// The tree is the image's; every byte of it comes through cookies, holes and READ requests. Thread
// rules: the host's thread, on fibers. Lifetime: a shared_ptr's, and requests share it; Host,
// Kernel, ErofsBlobs and who submits requests outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fuse/erofs/image.h"
#include "fuse/mount/erofs_blobs.h"
#include "fuse/mount/node.h"
#include "fuse/mount/session.h"

namespace coldread::fuse {

// What mount(2) is told.
struct ErofsOptions {
  std::string fsid;
  std::string domain_id;
  std::vector<std::string> devices;
  bool user_xattrs = true;   // "user.*" can be read
  bool access_lists = true;  // and count

  // One of them: "fsid=a", "acl". 0 or -EINVAL: the profile's EROFS does not know it.
  int add(const Profile& profile, const std::string& option);
};

// How that kernel's EROFS reads; of no devices yet.
erofs::ImageOptions image_options(const Profile& profile);

class ErofsMount final : private erofs::Source, public std::enable_shared_from_this<ErofsMount> {
 public:
  ErofsMount(Host& host, Kernel& kernel, ErofsBlobs& blobs, Session::Submit submit,
             Session::Interrupt interrupt);
  ~ErofsMount() override = default;
  ErofsMount(const ErofsMount&) = delete;
  ErofsMount& operator=(const ErofsMount&) = delete;

  // Makes the session a file system that can be seen: on a helper thread. 0 or a negative errno.
  using Attach = std::function<int(Session& session)>;

  // Asks the daemon for what a mount needs, then mounts. 0, or as mount(2) fails: -EBUSY, -EEXIST,
  // -EINVAL, -EBADMSG, -EUCLEAN, -EOPNOTSUPP, -EIO, -ENOBUFS, -EINTR; and whatever `attach` says.
  // `name` is for those who look on; an image needs an fsid.
  int mount(const ErofsOptions& options, const std::string& name, const Attach& attach,
            std::function<void()> on_end);
  // Gives everything back when the last request has been answered, and the connection ends.
  void unmount();
  // Somebody has unmounted it, even if on_end has not been called yet.
  bool ended() const { return session_.ended(); }
  void stop_reading() { session_.stop_reading(); }
  void disconnect() { session_.close(); }

  const std::string& name() const { return name_; }
  const ErofsOptions& options() const { return options_; }
  Kernel& kernel() const { return kernel_; }
  erofs::Image& image() { return *image_; }
  NodeTable& nodes() { return nodes_; }
  // The inode's node, which is made if there is none.
  std::shared_ptr<Node> node(const std::shared_ptr<erofs::Inode>& inode);
  // A node that is there already.
  std::shared_ptr<Node> known(uint64_t nid) const;
  void forget(uint64_t nid) { by_nid_.erase(nid); }

 private:
  int add_device(const std::string& name) override;
  int read(unsigned device, uint64_t start, std::span<std::byte> pages) override;
  void wait_until(const std::function<bool()>& holds) override;
  void changed() override { pages_.wake_up_all(); }
  void log_error(const std::string& text) override;
  void log_mount_error(const std::string& text) override;
  void log_info(const std::string& text) override;

  Host& host_;
  Kernel& kernel_;
  ErofsBlobs& blobs_;
  NodeTable nodes_;
  Session session_;
  WaitQueue pages_;
  std::string name_;
  ErofsOptions options_;
  ErofsRegistration registration_;
  std::vector<ErofsBlob*> devices_;
  std::unique_ptr<erofs::Image> image_;
  std::map<uint64_t, std::weak_ptr<Node>> by_nid_;
};

}  // namespace coldread::fuse
