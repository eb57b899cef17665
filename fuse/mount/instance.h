// Everything behind one mount, put together: host, cache on a real directory, kernel, server.
//
// Thread rules and lifetime: those of Server.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <string>

#include "fuse/mount/server.h"
#include "fuse/record/taped_store.h"
#include "fuse/store/directory_store.h"

namespace coldread::fuse {

struct InstanceOptions {
  Profile profile;
  std::string cache;                       // an existing directory, absolute
  std::string mountpoint;                  // another
  bool direct = false;                     // DirectoryStoreOptions::direct
  std::function<void()> on_end = nullptr;  // as Server::start()'s
  KernelLog::OnPrintk on_printk = nullptr;
  // What CLOCK_REALTIME shows at boot, in seconds.
  uint64_t realtime = static_cast<uint64_t>(std::time(nullptr));
  Tape* tape = nullptr;  // records all that happens; outlives the instance
};

class Instance {
 public:
  // Mounted and served when it returns.
  static Result<std::unique_ptr<Instance>> start(InstanceOptions options);
  ~Instance() { server_.stop(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  Host& host() { return *host_; }
  Server& server() { return server_; }
  DirectoryStore& store() { return *store_; }

 private:
  Instance(std::unique_ptr<Host> host, std::unique_ptr<DirectoryStore> store,
           InstanceOptions& options);
  BackingStore& backing_store(const Tape* tape);

  std::unique_ptr<Host> host_;
  std::unique_ptr<DirectoryStore> store_;
  KernelLog log_;
  TapedStore taped_store_;
  Kernel kernel_;
  Server server_;
};

}  // namespace coldread::fuse
