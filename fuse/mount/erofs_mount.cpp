#include "fuse/mount/erofs_mount.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

namespace coldread::fuse {
namespace {

bool is_one_of(const std::string& text, std::initializer_list<const char*> all) {
  return std::ranges::find(all, text) != all.end();
}

}  // namespace

int ErofsOptions::add(const Profile& profile, const std::string& option) {
  const size_t equals = option.find('=');
  const std::string key = option.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : option.substr(equals + 1);
  if (key == "fsid" && !value.empty()) {
    fsid = value;
  } else if (key == "domain_id" && !value.empty() && profile.has(Change::erofs_shared_domain)) {
    domain_id = value;
  } else if (key == "device" && !value.empty()) {
    devices.push_back(value);
  } else if (is_one_of(option, {"directio", "nodirectio"})) {
    return profile.has(Change::erofs_directio) ? 0 : -EINVAL;
  } else if (is_one_of(option, {"user_xattr", "nouser_xattr"})) {
    user_xattrs = option == "user_xattr";
  } else if (is_one_of(option, {"acl", "noacl"})) {
    access_lists = option == "acl";
  } else if (!is_one_of(option, {"ro", "rw", "cache_strategy=disabled", "cache_strategy=readahead",
                                 "cache_strategy=readaround"})) {
    return -EINVAL;
  }
  return 0;
}

erofs::ImageOptions image_options(const Profile& profile) {
  erofs::ImageOptions image;
  image.one_request_per_extent = !profile.has(Change::erofs_large_folios);
  image.checks_anew = profile.has(Change::erofs_fscache_deprecated);
  image.reads_compressed = profile.has(Change::erofs_fscache_compressed);
  image.warning =
      fmt::format("{} fscache-based on-demand read feature in use. Use at your own risk!",
                  image.checks_anew ? "[deprecated]" : "EXPERIMENTAL");
  image.knows_xattr_prefixes = profile.has(Change::erofs_xattr_prefixes);
  return image;
}

ErofsMount::ErofsMount(Host& host, Kernel& kernel, ErofsBlobs& blobs, Session::Submit submit,
                       Session::Interrupt interrupt)
    : host_(host),
      kernel_(kernel),
      blobs_(blobs),
      nodes_(0, 0),
      session_(
          host,
          [this, submit = std::move(submit)](std::unique_ptr<Request> request) {
            request->nodes = std::shared_ptr<NodeTable>(shared_from_this(), &nodes_);
            submit(std::move(request));
          },
          std::move(interrupt)),
      pages_(kernel.scheduler, "a page of an image to be read") {}

int ErofsMount::mount(const ErofsOptions& options, const std::string& name, const Attach& attach,
                      std::function<void()> on_end) {
  name_ = name;
  options_ = options;
  if (options.access_lists) session_.enforce_access_lists();
  if (const int error = blobs_.register_fs(options.fsid, options.domain_id, &registration_);
      error != 0)
    return error;
  erofs::ImageOptions image = image_options(kernel_.profile);
  image.devices = options.devices;
  image_ = std::make_unique<erofs::Image>(static_cast<erofs::Source&>(*this), std::move(image));
  if (const int error = image_->open(); error != 0) return error;
  const std::shared_ptr<Node> root = node(image_->root());
  if (const int error = blobs_.register_sysfs(registration_); error != 0) return error;

  // Looking a mountpoint up may lead through another of our mounts.
  struct Call {
    const Attach& attach;
    Session& session;
  } const call{attach, session_};
  const int error = offload(host_.errands(), [&call] { return call.attach(call.session); });
  if (error != 0) return error;
  session_.begin(std::move(on_end));
  return 0;
}

void ErofsMount::unmount() {
  session_.stop_reading();
  // Readers that were left behind, or gave up waiting, are still on their way.
  while (weak_from_this().use_count() > 1) host_.sleep(std::chrono::milliseconds(5));
  offload(host_.errands(), [this] { session_.close(); });
  const auto put_devices = [this] {
    for (ErofsBlob* const blob : devices_) blobs_.unregister_blob(blob);
    devices_.clear();
  };
  if (kernel_.profile.has(Change::erofs_large_folios)) put_devices();
  blobs_.unregister_fs(registration_);
  put_devices();
}

std::shared_ptr<Node> ErofsMount::known(uint64_t nid) const {
  const auto found = by_nid_.find(nid);
  return found != by_nid_.end() ? found->second.lock() : nullptr;
}

// --- erofs::Source ------------------------------------------------------------------------------

int ErofsMount::add_device(const std::string& name) {
  ErofsBlob* blob = nullptr;
  const int error = blobs_.register_blob(registration_, name, &blob);
  if (error == 0) devices_.push_back(blob);
  return error;
}

int ErofsMount::read(unsigned device, uint64_t start, std::span<std::byte> pages) {
  ErofsBlob* const blob = device == 0 ? registration_.primary : devices_[device - 1];
  return blobs_.read(*blob, start, pages);
}

void ErofsMount::wait_until(const std::function<bool()>& holds) {
  pages_.wait_event([&holds] { return holds(); });
}

void ErofsMount::log_error(const std::string& text) {
  pr_err(kernel_, "erofs: (device erofs): %s", text.c_str());
}

void ErofsMount::log_mount_error(const std::string& text) {
  pr_err(kernel_, "erofs: %s", text.c_str());
}

void ErofsMount::log_info(const std::string& text) {
  pr_notice(kernel_, "erofs: (device erofs): %s", text.c_str());
}

}  // namespace coldread::fuse
