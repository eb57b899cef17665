// Volumes and cookies as directories and files.
#include "fuse/mount/volumes.h"

#include <fcntl.h>
#include <linux/fuse.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "sim/machine/netfs_read.h"
#include "sim/player/slices.h"

namespace coldread::fuse {
namespace {

// What fits behind the prefixes that cachefiles puts before keys in file names.
constexpr size_t kLongestVolume = 254;
constexpr size_t kLongestCookie = 252;

}  // namespace

// --- volumes/ -----------------------------------------------------------------------------------

Volumes::Volumes(Kernel& kernel, AllReadCounts& counts) : kernel_(kernel), counts_(counts) {}

std::shared_ptr<Volume> Volumes::make(const std::string& name) {
  if (volumes_.contains(name)) return nullptr;
  auto volume = std::make_shared<Volume>(*this, name);
  table->add(volume);
  volumes_[name] = volume;
  return volume;
}

void Volumes::lookup(Request& request) {
  const auto found = volumes_.find(request.name);
  if (found == volumes_.end())
    request.error(ENOENT);
  else
    table->reply_entry(request, *found->second);
}

void Volumes::mkdir(Request& request) {
  if (request.name.size() > kLongestVolume) {
    request.error(ENAMETOOLONG);
    return;
  }
  request.node = make(request.name);
  if (!request.node) {
    request.error(EEXIST);
    return;
  }
  auto& volume = static_cast<Volume&>(*request.node);
  table->reply_entry(request, volume);
  volume.acquire();
}

void Volumes::rmdir(Request& request) {
  const auto found = volumes_.find(request.name);
  if (found == volumes_.end()) {
    request.error(ENOENT);
    return;
  }
  request.node = found->second;
  request.error(-static_cast<Volume&>(*request.node).relinquish(/*forced=*/false));
}

std::vector<DirectoryEntry> Volumes::list() {
  std::vector<DirectoryEntry> result;
  for (const auto& [name, volume] : volumes_) result.push_back({name, volume->inode, S_IFDIR});
  return result;
}

void Volumes::relinquish_all() {
  while (!volumes_.empty()) volumes_.begin()->second->relinquish(/*forced=*/true);
}

// --- a volume -----------------------------------------------------------------------------------

Volume::Volume(Volumes& volumes, std::string name)
    : volumes_(volumes),
      name_(std::move(name)),
      settled_(volumes.kernel_.scheduler, "a volume to be acquired") {}

void Volume::acquire() {
  handle_ = fscache_acquire_volume(volumes_.kernel_, name_, "", {}, &error_);
  acquired_ = handle_ ? Acquired::yes : Acquired::no;
  settled_.wake_up_all();
}

std::shared_ptr<Cookie> Volume::find_or_make(const std::string& name, bool* made) {
  std::shared_ptr<Cookie>& cookie = cookies_[name];
  *made = cookie == nullptr;
  if (*made) {
    cookie = std::make_shared<Cookie>(shared_from_this(), name);
    table->add(cookie);
  }
  return cookie;
}

void Volume::lookup(Request& request) {
  if (request.name.size() > kLongestCookie) {
    request.error(ENAMETOOLONG);
    return;
  }
  bool made = false;
  request.node = find_or_make(request.name, &made);
  auto& cookie = static_cast<Cookie&>(*request.node);
  cookie.table->reply_entry(request, cookie);
  if (made) cookie.acquire();
}

void Volume::unlink(Request& request) {
  const auto found = cookies_.find(request.name);
  if (found == cookies_.end()) {
    request.error(ENOENT);
    return;
  }
  request.node = found->second;
  auto& cookie = static_cast<Cookie&>(*request.node);
  cookie.unlinked_ = true;
  unlinked_.push_back(std::move(found->second));
  cookies_.erase(found);
  cookie.drop_if_unused();
  request.error(0);
}

std::vector<DirectoryEntry> Volume::list() {
  std::vector<DirectoryEntry> result;
  for (const auto& [name, cookie] : cookies_) result.push_back({name, cookie->inode, S_IFREG});
  constexpr fuse_ino_t kNotKnownYet = UINT32_MAX;  // as libfuse has it
  for (const std::string& name : offered_)
    if (!cookies_.contains(name)) result.push_back({name, kNotKnownYet, S_IFREG});
  return result;
}

int Volume::relinquish(bool forced) {
  if (!forced) {
    if (acquired_ == Acquired::not_yet) return -EBUSY;
    if (!unlinked_.empty()) return -EBUSY;
    for (const auto& [name, cookie] : cookies_) {
      if (cookie->acquired_ == Acquired::not_yet) return -EBUSY;
      if (cookie->uses_ > 0) return -ENOTEMPTY;
    }
  }
  Kernel& k = volumes_.kernel_;
  // Not to be found any more; rmdir's request keeps it, and at the end nobody looks.
  if (!forced) leave_tree();
  while (!cookies_.empty() || !unlinked_.empty()) {
    Cookie& cookie = cookies_.empty() ? *unlinked_.back() : *cookies_.begin()->second;
    if (cookie.uses_ == 0) {
      cookie.relinquish(cookie.unlinked_);
    } else {
      fscache_unuse_cookie(k, cookie.handle_, {}, nullptr);
      cookie.uses_--;
    }
  }
  const VolumeHandle handle = std::exchange(handle_, VolumeHandle());
  if (forced) leave_tree();  // may be the end of this object
  if (handle) fscache_relinquish_volume(k, handle, {}, false);
  return 0;
}

void Volume::leave_tree() {
  table->remove(*this);
  volumes_.volumes_.erase(volumes_.volumes_.find(name_));
}

// --- a cookie -----------------------------------------------------------------------------------

Cookie::Cookie(std::shared_ptr<Volume> volume, std::string name)
    : volume_(std::move(volume)),
      name_(std::move(name)),
      settled_(kernel().scheduler, "a cookie to be acquired") {}

void Cookie::acquire() {
  volume_->settled_.wait_event([this] { return volume_->acquired_ != Acquired::not_yet; });
  error_ = volume_->error_;
  if (volume_->handle_) {
    // As EROFS acquires its blobs.
    handle_ = fscache_acquire_cookie(kernel(), volume_->handle_, FSCACHE_ADV_WANT_CACHE_SIZE,
                                     std::as_bytes(std::span(name_)), {}, 0);
    if (!handle_) error_ = -EBUSY;  // one of the same key is still there
  }
  acquired_ = handle_ ? Acquired::yes : Acquired::no;
  settled_.wake_up_all();
  drop_if_unused();
}

Attributes Cookie::attributes() {
  const uint64_t size = handle_ ? static_cast<uint64_t>(handle_->object_size) : 0;
  return {S_IFREG | 0444, size, size_known_ ? 1.0 : 0.0};
}

void Cookie::open(Request& request) {
  // FUSE lets O_TRUNC through with any mode, and would have readers see an empty file.
  if ((request.flags & O_ACCMODE) != O_RDONLY || (request.flags & O_TRUNC) != 0) {
    request.error(EROFS);
    return;
  }
  if (settled_.wait_event_killable([this] { return acquired_ != Acquired::not_yet; }) != 0) {
    request.error(EINTR);
    return;
  }
  if (!handle_) {
    request.error(error_ != 0 ? -error_ : ESTALE);
    return;
  }
  uses_++;
  fscache_use_cookie(kernel(), handle_, false);
  // Until the daemon has said how large it is.
  netfs_cache_resources cres;
  int error = fscache_begin_read_operation(kernel(), cres, handle_);
  if (error == 0) {
    if (!fscache_wait_for_operation(kernel(), cres, FSCACHE_WANT_READ)) error = -ENOBUFS;
    fscache_end_operation(kernel(), cres);
  }
  if (error == 0) opened();
  if (error != 0) request.error(-error);
  if (error != 0 || !request.open({0, FOPEN_KEEP_CACHE | FOPEN_NOFLUSH})) unuse();
}

void Cookie::opened() {
  size_known_ = true;
  // Whoever asked before the daemon had answered was told another size, and may take notice of that
  // after those who open it now: they would read nothing.
  const int64_t size = handle_->object_size;
  if (std::exchange(told_size_, size) != size && volume_->volumes_.new_size_)
    volume_->volumes_.new_size_(inode);
  counts_.use(volume_->volumes_.counts_.of(volume_->name() + "/" + name_));
  counts_->size = static_cast<uint64_t>(size);
}

void Cookie::read(Request& request) {
  if (!handle_ || !counts_ || uses_ == 0) {
    request.error(EBADF);
    return;
  }
  const auto object_size = static_cast<uint64_t>(handle_->object_size);
  const auto from = static_cast<uint64_t>(request.offset);
  const uint64_t to = std::min<uint64_t>(from + request.size, object_size);
  if (from >= to) {
    request.bytes({});
    return;
  }
  const uint64_t start = round_down(from, kPageSize);
  const int64_t ret = read_pages(request, start, round_up(to, kPageSize));
  if (ret < 0) {
    counts_->errors++;
    // A page that could not be read is EIO, whatever the reason, in every file system of a kernel.
    request.error(ret == -EINTR ? EINTR : EIO);
    return;
  }
  counts_->bytes += to - from;
  request.bytes(request.data.current().subspan(from - start, to - from), Contents::unknown);
}

int64_t Cookie::read_pages(Request& request, uint64_t start, uint64_t end) {
  Kernel& k = kernel();
  netfs_cache_resources cres;
  if (const int error = fscache_begin_read_operation(k, cres, handle_); error != 0) return error;
  const auto prepare = [&](uint64_t position, uint64_t length, player::PrepareResult* found) {
    return sim::netfs_prepare_read(k, cres, position, length, std::numeric_limits<int64_t>::max(),
                                   scenario::kSubrequestOndemand, found);
  };
  const auto issue = [&](uint64_t position, const player::PrepareResult& found) -> int64_t {
    // Memory is taken once there is something to put into it: a blocked reader has none.
    const std::span<std::byte> pages =
        request.data.get(end - start).subspan(position - start, found.length);
    if (found.source == player::Source::read_from_cache) {
      const int64_t got =
          sim::netfs_cache_read(k, cres, position, pages, NETFS_READ_HOLE_FAIL, /*sync=*/false);
      if (got >= 0) sim::netfs_trust(k, handle_, position, found.length);
      return got;
    }
    if (found.source != player::Source::fill_with_zeroes) return -EIO;
    std::fill(pages.begin(), pages.end(), std::byte{0});
    return 0;
  };
  const int64_t ret =
      counts_.count(handle_, [&] { return player::read_slice(start, end, prepare, issue); });
  fscache_end_operation(k, cres);
  return ret;
}

void Cookie::release(Request& request) {
  request.error(0);
  if (uses_ > 0) unuse();
}

void Cookie::lseek(Request& request) {
  const Attributes now = attributes();
  if (request.offset < 0 || static_cast<uint64_t>(request.offset) >= now.size)
    request.error(ENXIO);
  else
    request.position(request.whence == SEEK_HOLE ? static_cast<int64_t>(now.size) : request.offset);
}

void Cookie::unuse() {
  fscache_unuse_cookie(kernel(), handle_, {}, nullptr);
  uses_--;
  drop_if_unused();
}

// Nobody knows it any more, or nobody may: then it goes as soon as nobody uses it. May be the end
// of this object.
void Cookie::drop_if_unused() {
  if (acquired_ == Acquired::not_yet || uses_ > 0) return;
  if (unlinked_ || lookups == 0 || acquired_ == Acquired::no) relinquish(unlinked_);
}

void Cookie::relinquish(bool retire) {
  Kernel& k = kernel();
  const CookieHandle handle = std::exchange(handle_, CookieHandle());
  Volume& volume = *volume_;
  table->remove(*this);
  std::erase_if(volume.unlinked_, [this](const auto& other) { return other.get() == this; });
  const auto found = volume.cookies_.find(name_);
  if (found != volume.cookies_.end() && found->second.get() == this) volume.cookies_.erase(found);
  if (handle) fscache_relinquish_cookie(k, handle, retire);
}

}  // namespace coldread::fuse
