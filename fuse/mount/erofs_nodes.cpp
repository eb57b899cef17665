// The inodes of a mounted image.
//
// An image never changes, so the kernel may keep whatever it was told; what is read goes through
// its page cache, which asks in the windows in which it would ask EROFS.
#include <linux/fuse.h>
#include <linux/xattr.h>

#include <cerrno>

#include "fuse/host/caller.h"
#include "fuse/mount/erofs_mount.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread::fuse {
namespace {

constexpr double kForEver = 86400;  // seconds

// new_decode_dev(), as st_rdev has it
uint64_t decode_dev(uint32_t device) {
  const uint64_t major = (device & 0xfff00) >> 8;
  const uint64_t minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~uint64_t{0xff}) << 12;
}

bool is_below(const std::string& name, const char* prefix) {
  return name.rfind(prefix, 0) == 0;
}

class ErofsNode final : public Node {
 public:
  ErofsNode(ErofsMount& mount, std::shared_ptr<erofs::Inode> of)
      : mount_(mount), erofs_inode_(std::move(of)) {}

  Attributes attributes() override { return {erofs_inode_->mode, erofs_inode_->size, kForEver}; }
  double entry_timeout() const override { return kForEver; }
  std::string path() const override {
    return mount_.name() + ": nid " + std::to_string(erofs_inode_->nid);
  }

  void complete(struct stat& stat) const override {
    const erofs::Inode& from = *erofs_inode_;
    stat.st_ino = from.nid;
    stat.st_nlink = from.nlink;
    stat.st_uid = from.uid;
    stat.st_gid = from.gid;
    stat.st_rdev = decode_dev(from.rdev);
    stat.st_blocks = static_cast<blkcnt_t>(from.sectors);
    stat.st_mtim = {static_cast<time_t>(from.mtime), static_cast<long>(from.mtime_nsec)};
    stat.st_atim = stat.st_ctim = stat.st_mtim;
  }

  void lookup(Request& request) override {
    uint64_t nid = 0;
    int error = mount_.image().lookup(*erofs_inode_, request.name, &nid);
    std::shared_ptr<Node> child = error == 0 ? mount_.known(nid) : nullptr;
    if (error == 0 && child == nullptr) {
      std::shared_ptr<erofs::Inode> found;
      error = mount_.image().inode(nid, &found);
      if (error == 0) child = mount_.node(found);
    }
    // The VFS says so of any directory that is in itself, FUSE of all but the root.
    if (error == 0 && child->inode == FUSE_ROOT_ID) error = -ELOOP;
    if (error != 0)
      request.error(-error);
    else
      table->reply_entry(request, *child);
  }

  void readdir(Request& request) override {
    const std::span<std::byte> out = request.data.get(request.size);
    size_t used = 0;
    const int error = mount_.image().list(
        *erofs_inode_, static_cast<uint64_t>(request.offset),
        [&](const erofs::DirectoryEntry& entry) {
          const std::string name(entry.name);
          struct stat stat = {};
          stat.st_ino = entry.nid;
          stat.st_mode = static_cast<mode_t>(entry.type) << 12;
          const size_t needed = fuse_add_direntry(
              request.raw(), reinterpret_cast<char*>(out.data()) + used, out.size() - used,
              name.c_str(), &stat, static_cast<off_t>(entry.next_position));
          if (needed > out.size() - used) return false;
          used += needed;
          return true;
        });
    if (error != 0 && used == 0)
      request.error(-error);
    else
      request.bytes(out.first(used));
  }

  void open(Request& request) override {
    if ((request.flags & O_ACCMODE) != O_RDONLY)
      request.error(EROFS);
    else
      request.open({0, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH});
  }

  void read(Request& request) override {
    const auto from = static_cast<uint64_t>(request.offset);
    const uint64_t to = std::min<uint64_t>(from + request.size, erofs_inode_->size);
    if (from >= to) {
      request.bytes({});
      return;
    }
    const uint64_t start = round_down(from, kPageSize);
    const std::span<std::byte> pages = request.data.get(round_up(to, kPageSize) - start);
    const int error = mount_.image().read(*erofs_inode_, start, pages);
    if (error == 0)
      request.bytes(pages.subspan(from - start, to - from));
    else
      request.error(-error);
  }

  void readlink(Request& request) override {
    std::string target;
    const int error = mount_.image().read_link(*erofs_inode_, &target);
    if (error != 0)
      request.error(-error);
    else
      request.link(target);
  }

  void getxattr(Request& request) override {
    if (!may_be_read(request.name)) {
      request.error(EOPNOTSUPP);
      return;
    }
    std::string value;
    const int error = mount_.image().get_xattr(*erofs_inode_, request.name, &value);
    if (error != 0)
      request.error(-error);
    else
      request.attribute(value);
  }

  void listxattr(Request& request) override {
    std::vector<std::string> names;
    if (const int error = mount_.image().list_xattrs(*erofs_inode_, &names); error != 0) {
      request.error(-error);
      return;
    }
    std::string all;
    for (const std::string& name : names) {
      const bool listed = may_be_read(name) &&
                          (!is_below(name, XATTR_TRUSTED_PREFIX) || has_sys_admin(request.pid));
      if (listed) all.append(name).push_back('\0');
    }
    request.attribute(all);
  }

  void statfs(Request& request) override {
    struct statvfs stat = {};
    stat.f_bsize = stat.f_frsize = kPageSize;
    stat.f_blocks = mount_.image().blocks();
    stat.f_files = UINT64_MAX;
    stat.f_ffree = UINT64_MAX - mount_.image().inodes();
    stat.f_namemax = erofs::EROFS_NAME_LEN;
    request.statfs(stat);
  }

  void setattr(Request& request) override { request.error(EROFS); }
  void mkdir(Request& request) override { request.error(EROFS); }
  void unlink(Request& request) override { request.error(EROFS); }
  void rmdir(Request& request) override { request.error(EROFS); }
  void fsync(Request& request) override { request.error(EINVAL); }

 private:
  // As far as the mount's options go; who asks is the VFS' matter.
  bool may_be_read(const std::string& name) const {
    if (is_below(name, XATTR_USER_PREFIX)) return mount_.options().user_xattrs;
    if (is_below(name, "system.posix_acl_")) return mount_.options().access_lists;
    return true;
  }

  void forgotten() override {
    if (inode == FUSE_ROOT_ID) return;
    mount_.forget(erofs_inode_->nid);
    table->remove(*this);
  }

  ErofsMount& mount_;
  const std::shared_ptr<erofs::Inode> erofs_inode_;
};

}  // namespace

std::shared_ptr<Node> ErofsMount::node(const std::shared_ptr<erofs::Inode>& inode) {
  // Another lookup may have made it while this one read the inode.
  if (std::shared_ptr<Node> there = known(inode->nid)) return there;
  auto made = std::make_shared<ErofsNode>(*this, inode);
  if (inode == image_->root()) made->inode = FUSE_ROOT_ID;
  nodes_.add(made);
  by_nid_[inode->nid] = made;
  return made;
}

}  // namespace coldread::fuse
