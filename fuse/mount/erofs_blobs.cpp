#include "fuse/mount/erofs_blobs.h"

#include <algorithm>
#include <cerrno>
#include <limits>

#include "sim/machine/netfs_read.h"
#include "sim/player/slices.h"

namespace coldread::fuse {

namespace {

// Reads were for pages of one image before they were for whatever compressed files need.
bool names_image(const Kernel& k) {
  return !k.profile.has(Change::erofs_fscache_compressed);
}

void log_source(Kernel& k, player::Source source) {
  // The first of these, for none, is as young as the deprecation.
  const int none = k.profile.has(Change::erofs_fscache_deprecated) ? 0 : 1;
  const int number = static_cast<int>(source) - none;
  pr_err(k,
         names_image(k) ? "erofs: (device erofs): failed to fscache prepare_read (source %d)"
                        : "erofs: prepare_ondemand_read failed (source %d)",
         number);
}

void log_read(Kernel& k, int ret) {
  pr_err(k,
         names_image(k) ? "erofs: (device erofs): failed to fscache_read (ret %d)"
                        : "erofs: fscache_read failed (ret %d)",
         ret);
}

}  // namespace

ErofsBlobs::ErofsBlobs(Kernel& kernel, AllReadCounts& counts)
    : kernel_(kernel),
      counts_(counts),
      domain_list_lock_(kernel.scheduler, LockClass::erofs_domain_list_lock),
      domain_cookies_lock_(kernel.scheduler, LockClass::erofs_domain_cookies_lock) {}

// --- volumes and domains ------------------------------------------------------------------------

int ErofsBlobs::register_volume(const std::string& key, VolumeHandle* volume) {
  int error = 0;
  *volume = fscache_acquire_volume(kernel_, key, "", {}, &error);
  if (*volume) return 0;
  pr_err(kernel_, "erofs: (device erofs): failed to register volume for %s", key.c_str());
  return error != 0 ? error : -EOPNOTSUPP;
}

int ErofsBlobs::register_domain(const std::string& id, ErofsRegistration* made) {
  domain_list_lock_.lock();
  const auto found = std::ranges::find(domains_, id, &ErofsDomain::id);
  int error = 0;
  if (found != domains_.end()) {
    found->users++;
    made->domain = &*found;
  } else {
    VolumeHandle volume;
    error = register_volume("erofs," + id, &volume);
    if (error == 0) made->domain = &domains_.emplace_back(ErofsDomain{id, volume});
  }
  if (error == 0) made->volume = made->domain->volume;
  domain_list_lock_.unlock();
  return error;
}

// The volume goes before the lock does: whoever mounts the domain next waits for it.
void ErofsBlobs::put_domain(ErofsDomain* domain) {
  domain_list_lock_.lock();
  if (--domain->users == 0) {
    const VolumeHandle volume = domain->volume;
    std::erase_if(domains_, [domain](const ErofsDomain& other) { return &other == domain; });
    fscache_relinquish_volume(kernel_, volume, {}, false);
  }
  domain_list_lock_.unlock();
}

int ErofsBlobs::register_fs(const std::string& fsid, const std::string& domain_id,
                            ErofsRegistration* made) {
  const int error = domain_id.empty() ? register_volume("erofs," + fsid, &made->volume)
                                      : register_domain(domain_id, made);
  if (error != 0) return error;
  return register_unique(*made, fsid, kernel_.profile.has(Change::erofs_domain_fsid_unique),
                         &made->primary);
}

int ErofsBlobs::register_sysfs(ErofsRegistration& made) {
  if (made.primary->in_sysfs) {
    pr_err(kernel_, "sysfs: cannot create duplicate filename '/fs/erofs/%s,%s'",
           made.domain->id.c_str(), made.primary->name.c_str());
    return -EEXIST;
  }
  made.in_sysfs = made.primary->in_sysfs = true;
  return 0;
}

void ErofsBlobs::unregister_fs(ErofsRegistration& made) {
  if (made.in_sysfs) made.primary->in_sysfs = false;
  if (made.primary != nullptr) unregister_blob(made.primary);
  if (made.domain != nullptr)
    put_domain(made.domain);
  else if (made.volume)
    fscache_relinquish_volume(kernel_, made.volume, {}, false);
  made = {};
}

// --- blobs --------------------------------------------------------------------------------------

ErofsBlob* ErofsBlobs::acquire_blob(VolumeHandle volume, const std::string& name) {
  const CookieHandle cookie = fscache_acquire_cookie(kernel_, volume, FSCACHE_ADV_WANT_CACHE_SIZE,
                                                     std::as_bytes(std::span(name)), {}, 0);
  if (!cookie) {
    pr_err(kernel_, "erofs: (device erofs): failed to get cookie for %s", name.c_str());
    return nullptr;
  }
  fscache_use_cookie(kernel_, cookie, false);
  ErofsBlob& blob = blobs_.emplace_back(ErofsBlob{name, cookie});
  blob.counts.use(counts_.of(std::string(volume->key_text()) + "/" + name));
  return &blob;
}

int ErofsBlobs::register_unique(const ErofsRegistration& mount, const std::string& name,
                                bool unique, ErofsBlob** blob) {
  if (mount.domain == nullptr) {
    *blob = acquire_blob(mount.volume, name);
    return *blob != nullptr ? 0 : -EINVAL;
  }
  domain_cookies_lock_.lock();
  const auto found = std::ranges::find_if(blobs_, [&](const ErofsBlob& other) {
    return other.domain == mount.domain && other.name == name;
  });
  int error = 0;
  if (found == blobs_.end()) {
    *blob = acquire_blob(mount.volume, name);
    if (*blob != nullptr) {
      (*blob)->domain = mount.domain;
      mount.domain->users++;
    } else {
      error = -EINVAL;
    }
  } else if (unique) {
    pr_err(kernel_, "erofs: (device erofs): %s already exists in domain %s", name.c_str(),
           mount.domain->id.c_str());
    error = -EEXIST;
  } else {
    found->users++;
    *blob = &*found;
  }
  domain_cookies_lock_.unlock();
  return error;
}

int ErofsBlobs::register_blob(const ErofsRegistration& mount, const std::string& name,
                              ErofsBlob** blob) {
  return register_unique(mount, name, /*unique=*/false, blob);
}

void ErofsBlobs::unregister_blob(ErofsBlob* blob) {
  ErofsDomain* const domain = blob->domain;
  if (domain != nullptr) domain_cookies_lock_.lock();
  const bool last = --blob->users == 0;
  if (last) {
    const CookieHandle cookie = blob->cookie;
    std::erase_if(blobs_, [blob](const ErofsBlob& other) { return &other == blob; });
    fscache_unuse_cookie(kernel_, cookie, {}, nullptr);
    fscache_relinquish_cookie(kernel_, cookie, false);
  }
  if (domain != nullptr) domain_cookies_lock_.unlock();
  if (domain != nullptr && last) put_domain(domain);
}

// --- reading ------------------------------------------------------------------------------------

int ErofsBlobs::read(ErofsBlob& blob, uint64_t start, std::span<std::byte> pages) {
  netfs_cache_resources cres;
  const int error = fscache_begin_read_operation(kernel_, cres, blob.cookie);
  if (error != 0) return error;
  const int64_t ret =
      blob.counts.count(blob.cookie, [&] { return read_slices(blob, cres, start, pages); });
  fscache_end_operation(kernel_, cres);
  blob.counts->size = static_cast<uint64_t>(blob.cookie->object_size);
  if (ret < 0) {
    blob.counts->errors++;
  } else {
    blob.counts->bytes += pages.size();
  }
  return static_cast<int>(ret);
}

int64_t ErofsBlobs::read_slices(const ErofsBlob& blob, netfs_cache_resources& cres, uint64_t start,
                                std::span<std::byte> pages) {
  Kernel& k = kernel_;
  return player::read_slice(
      start, start + pages.size(),
      [&](uint64_t position, uint64_t length, player::PrepareResult* found) {
        return sim::netfs_prepare_read(k, cres, position, length,
                                       std::numeric_limits<int64_t>::max(),
                                       scenario::kSubrequestOndemand, found);
      },
      [&](uint64_t position, const player::PrepareResult& found) -> int64_t {
        if (found.source != player::Source::read_from_cache) {
          log_source(k, found.source);
          return -EIO;
        }
        const int64_t got =
            sim::netfs_cache_read(k, cres, position, pages.subspan(position - start, found.length),
                                  NETFS_READ_HOLE_FAIL, /*sync=*/false);
        if (got >= 0) sim::netfs_trust(k, blob.cookie, position, found.length);
        if (got < 0) log_read(k, static_cast<int>(got));
        return got < 0 ? got : 0;
      });
}

}  // namespace coldread::fuse
