// The blobs of mounted images: cookies that are in use as long as their mounts, and the domains
// that share them.
//
// Models the first and last part of fs/erofs/fscache.c: erofs_fscache_register_fs(),
// erofs_fscache_register_cookie() and their counterparts. Errors are negative. Thread rules: the
// host's thread, on fibers; what acquires may wait for an earlier volume or cookie of that key.
#pragma once

#include <list>
#include <string>

#include "fuse/mount/read_counts.h"
#include "kernelmodel/kernel/kernel.h"
#include "kernelmodel/kernel/mutex.h"

namespace coldread::fuse {

struct ErofsDomain;

// struct erofs_fscache: one blob, for all mounts of its domain that use it.
struct ErofsBlob {
  std::string name;
  CookieHandle cookie;
  ErofsDomain* domain = nullptr;  // null: it belongs to one mount
  unsigned users = 1;
  bool in_sysfs = false;  // some mount's primary blob
  ReadCounter counts = {};
};

// struct erofs_domain: mounts that name it share a volume.
struct ErofsDomain {
  std::string id;
  VolumeHandle volume;
  unsigned users = 1;  // mounts and blobs
};

// What a mount holds on to.
struct ErofsRegistration {
  VolumeHandle volume;
  ErofsDomain* domain = nullptr;
  ErofsBlob* primary = nullptr;
  bool in_sysfs = false;  // it is this mount that is there
};

class ErofsBlobs {
 public:
  ErofsBlobs(Kernel& kernel, AllReadCounts& counts);

  // The volume and the image's own blob; without `domain_id` nobody shares them. On an error what
  // there is already must be given back as well. -EBUSY: that image is mounted without a domain;
  // -EEXIST: it is in this one (since 6.2); -EINVAL: there is no cookie to be had.
  int register_fs(const std::string& fsid, const std::string& domain_id, ErofsRegistration* made);
  void unregister_fs(ErofsRegistration& made);

  // erofs_register_sysfs(): the mount's name, which is the domain's and the image's. -EEXIST:
  // another mount has it, which before 6.2 is noticed only here.
  int register_sysfs(ErofsRegistration& made);

  // One more blob of that mount, which the domain may know already. -EINVAL, -EEXIST (only
  // register_fs).
  int register_blob(const ErofsRegistration& mount, const std::string& name, ErofsBlob** blob);
  void unregister_blob(ErofsBlob* blob);

  // Whole pages of a blob: 0, -EIO (also whatever the cache cannot say), -ENOBUFS, -EINTR.
  // erofs_fscache_read_io_async()
  int read(ErofsBlob& blob, uint64_t start, std::span<std::byte> pages);

 private:
  int register_volume(const std::string& key, VolumeHandle* volume);
  int register_domain(const std::string& id, ErofsRegistration* made);
  int register_unique(const ErofsRegistration& mount, const std::string& name, bool unique,
                      ErofsBlob** blob);
  ErofsBlob* acquire_blob(VolumeHandle volume, const std::string& name);
  void put_domain(ErofsDomain* domain);

  // As read(), with the blob's operation begun.
  int64_t read_slices(const ErofsBlob& blob, netfs_cache_resources& cres, uint64_t start,
                      std::span<std::byte> pages);

  Kernel& kernel_;
  AllReadCounts& counts_;
  Mutex domain_list_lock_;
  Mutex domain_cookies_lock_;
  std::list<ErofsDomain> domains_;
  std::list<ErofsBlob> blobs_;
};

}  // namespace coldread::fuse
