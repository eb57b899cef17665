// The whole mount: a modelled kernel that readers and daemons use through a FUSE file system.
//
//   volumes/<volume>/<cookie>      what readers read (volumes.h)
//   dev/cachefiles, dev/anon/<id>  the daemon's device and its objects' files (device.h)
//   dev/coldread_netfs             fscache's own calls, for who plays a netfs (netfs_file.h)
//   dev/kmsg                       its log (kmsg.h)
//   proc/fs/fscache/*              the kernel's own texts
//   proc/sys/cachefiles/*          its error injection
//   trace_pipe                     tracepoints, as ftrace prints them
//   mount                          mounts EROFS images elsewhere (erofs_mounts.h)
//   requests                       who waits for what, and what the daemon is asked
//
// Thread rules: start() and stop() from one thread that is not the host's; what says "on a fiber"
// as a job of the host (Host::post, Host::call). Never open or close a file of the mount on the
// host's thread: helpers (Host::errands) or other threads do. Lifetime: host, kernel and log
// outlive it.
#pragma once

#include <memory>
#include <unordered_map>

#include "fuse/host/host.h"
#include "fuse/host/kernel_log.h"
#include "fuse/mount/blob_daemon.h"
#include "fuse/mount/device.h"
#include "fuse/mount/erofs_mounts.h"
#include "fuse/mount/session.h"
#include "fuse/mount/volumes.h"

namespace coldread::fuse {

class Server {
 public:
  Server(Host& host, Kernel& kernel, KernelLog& log);
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Mounts and starts the host. `on_end` is called on the host's thread when somebody else has
  // unmounted it, or the model has broken: stop() should follow, from another thread.
  Status start(const std::string& mountpoint, std::function<void()> on_end = nullptr);

  // Ends everything: the built-in daemon and the device are closed, readers get errors, objects are
  // committed to the cache as far as that is done in some seconds; then it unmounts. Whoever has
  // files open keeps them and gets ENOTCONN. Stops the host. Never hangs.
  void stop();

  // --- for whoever brings programs to the device ---
  Host& host() { return host_; }
  Kernel& kernel() { return kernel_; }
  // Natively opened they are like any client's; not on the host's thread.
  std::string device_path() const { return mountpoint_ + "/dev/cachefiles"; }
  std::string kmsg_path() const { return mountpoint_ + "/dev/kmsg"; }
  std::string anon_path(uint32_t object_id) const {
    return mountpoint_ + "/dev/anon/" + std::to_string(object_id);
  }
  // What a file of the mount is, by its st_ino (its st_dev being that of the mountpoint).
  static bool is_device(uint64_t inode) { return inode == kDeviceInode; }
  static bool is_anon(uint64_t inode) { return inode > kAnonInodes; }
  // As Device::use_working_directories().
  void use_working_directories(std::function<InodeNumber(uint32_t pid)> of);
  // On a fiber: Device::read_message(), publish(), on_file().
  Device& device() { return *device_; }

  Volumes& volumes() { return *volumes_; }
  // On a fiber.
  ErofsMounts& images() { return *images_; }
  KernelLog& log() { return log_; }  // its ring: any thread
  // Jobs to be given to the host.
  // The built-in daemon, which then has the device: fills 0 or a negative errno. A volume is made
  // for each directory in `blobs`, and one named "blobs" for the files there.
  Job serving_blobs(const std::string& cache_directory, const std::string& blobs,
                    std::shared_ptr<int> error);
  // Hits, misses and holes of each object.
  Job reporting(std::shared_ptr<std::string> text);
  // What broke the model; empty: nothing did. After stop(), or in on_end.
  const std::string& broken() const { return broken_; }

  // --- for a recording that is played, instead of start() ---

  // Each posts one job.
  void submit(std::unique_ptr<Request> request, const std::string& caller);
  void interrupted(uint64_t serial);
  Job shutting_down();
  // Who waits and for what, a line each: requests that nothing but others can answer.
  std::vector<std::string> waiting() const;

 private:
  std::shared_ptr<Device> make_device();
  std::shared_ptr<FixedDirectory> make_directory();
  std::shared_ptr<FixedDirectory> make_fscache_directory();
  void build_tree();
  void submit(std::unique_ptr<Request> request);
  int serve_blobs(const std::string& cache_directory, const std::string& blobs);
  std::string report() const;
  void serve(uint64_t serial);
  void look_after_signals(uint64_t serial);
  Request* find(uint64_t serial) const;
  void shut_down();
  void disconnect();
  bool wait_until_quiet(std::chrono::milliseconds at_most, const std::function<bool()>& quiet);
  int list_requests(std::string* text);

  Host& host_;
  Kernel& kernel_;
  KernelLog& log_;
  std::string mountpoint_;
  std::function<void()> on_end_;
  std::shared_ptr<NodeTable> nodes_;
  std::shared_ptr<Device> device_;
  AllReadCounts counts_;
  std::shared_ptr<Volumes> volumes_;
  std::unique_ptr<ErofsMounts> images_;
  std::unique_ptr<BlobDaemon> daemon_;
  Session session_;
  uint64_t last_serial_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<Request>> requests_;  // under way
  bool started_ = false;
  std::string broken_;
};

}  // namespace coldread::fuse
