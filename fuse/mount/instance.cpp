// The order in which the parts are made, and so end.
#include "fuse/mount/instance.h"

#include <fcntl.h>
#include <unistd.h>

namespace coldread::fuse {
namespace {

// The working directory of a process, as an inode of the store with a reference; 0: not to be had.
InodeNumber working_directory(Host& host, DirectoryStore& store, uint32_t pid) {
  const int fd = offload(host.errands(), [pid] {
    const std::string path = "/proc/" + std::to_string(pid) + "/cwd";
    return open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  });
  if (fd < 0) return 0;
  InodeNumber inode = 0;
  const int error = store.adopt(fd, &inode);
  offload(host.errands(), [fd] { close(fd); });
  return error == 0 ? inode : 0;
}

}  // namespace

// The way to the disk passes the tape only if there is one.
BackingStore& Instance::backing_store(const Tape* tape) {
  if (tape != nullptr) return taped_store_;
  return *store_;
}

Instance::Instance(std::unique_ptr<Host> host, std::unique_ptr<DirectoryStore> store,
                   InstanceOptions& options)
    : host_(std::move(host)),
      store_(std::move(store)),
      log_(host_->scheduler(), std::move(options.on_printk)),
      taped_store_(host_->tape(), store_.get()),
      kernel_(host_->scheduler(), backing_store(options.tape), log_, log_, options.profile),
      server_(*host_, kernel_, log_) {
  kernel_.realtime_seconds = options.realtime;
  if (options.tape != nullptr)
    log_.observe([tape = options.tape](std::string_view line) { tape->traced(line); });
  server_.use_working_directories(
      [this](uint32_t pid) { return working_directory(*host_, *store_, pid); });
}

Result<std::unique_ptr<Instance>> Instance::start(InstanceOptions options) {
  auto host = std::make_unique<Host>();
  if (options.tape != nullptr) host->use(*options.tape);
  auto store = DirectoryStore::open(host->disk(), options.cache, {.direct = options.direct});
  if (!store) return Error{store.error()};
  std::unique_ptr<Instance> instance(new Instance(std::move(host), std::move(*store), options));
  const Status started = instance->server_.start(options.mountpoint, std::move(options.on_end));
  if (!started) return Error{started.error()};
  return instance;
}

}  // namespace coldread::fuse
