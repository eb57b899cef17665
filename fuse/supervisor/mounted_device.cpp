#include "fuse/supervisor/mounted_device.h"

#include <sys/stat.h>

#include <utility>

#include "fuse/supervisor/held_call.h"

namespace coldread::fuse {
namespace {

// The process of a held read, for the model. Lies on the stack of the fiber that reads, and so owns
// nothing.
class Reader final : public DescriptorNumbers, public UserMemory {
 public:
  Reader(Server& server, const HeldRead& call) : server_(server), call_(call) {}

  int reserve(uint32_t) override {
    return offload(server_.host().errands(), [this] { return call_.reserve(); });
  }
  void put_unused(int) override {}  // nothing was taken
  int write(std::span<const std::byte> from) override {
    return offload(server_.host().errands(), [this, from] { return call_.write(from); });
  }
  void install(int fd, FileHandle file) override {
    const uint32_t object = server_.device().publish(file);
    const int error = offload(server_.host().errands(), [this, fd, object] {
      return call_.install(server_.anon_path(object), fd);
    });
    // Nobody has opened it, and nobody will.
    if (error != 0) server_.device().withdraw(object);
  }

 private:
  Server& server_;
  const HeldRead& call_;
};

// As the system call does, with the VFS' answers for what the file has not.
int64_t answer(Kernel& k, FileHandle file, const FileCall& asked) {
  const FileOperations& ops = *file->ops;
  auto position = static_cast<int64_t>(asked.argument);
  switch (asked.what) {
    case FileCall::What::ioctl:
      return ops.ioctl != nullptr ? ops.ioctl(k, file, asked.number, asked.argument) : -ENOTTY;
    case FileCall::What::lseek:
      return ops.llseek != nullptr ? ops.llseek(k, file, position, static_cast<int>(asked.number))
                                   : -ESPIPE;
    case FileCall::What::write_nothing:
      break;
  }
  if (ops.write_iter != nullptr) return ops.write_iter(k, file, UserData({}), &position);
  return ops.write != nullptr ? ops.write(k, file, UserData({})) : -EINVAL;
}

Job job(const HeldCall& call, std::function<void()> run) {
  return {std::move(run), "daemon", static_cast<uint32_t>(call.thread())};
}

}  // namespace

MountedDevice::MountedDevice(Server& server, const std::string& mountpoint) : server_(server) {
  struct stat root {};
  if (stat(mountpoint.c_str(), &root) == 0) mount_ = root.st_dev;
}

DeviceService::Kind MountedDevice::kind_of(const FileIdentity& file) const {
  if (file.device != mount_) return Kind::other;
  if (Server::is_device(file.inode)) return Kind::device;
  return Server::is_anon(file.inode) ? Kind::anonymous : Kind::other;
}

// The job keeps the call, since a fiber's stack must not.
void MountedDevice::read(std::shared_ptr<HeldRead> call) {
  server_.host().post(job(*call, [this, call] {
    Reader reader(server_, *call);
    files_struct table(server_.kernel(), reader);
    UserBuffer buffer;
    buffer.size = call->size();
    buffer.memory = &reader;
    call->answer(server_.device().read_message(table, buffer));
  }));
}

void MountedDevice::call(std::shared_ptr<HeldFileCall> call) {
  server_.host().post(job(*call, [this, call] {
    const FileCall& asked = call->call();
    call->answer(server_.device().on_file(
        asked.file.inode, [&asked](Kernel& k, FileHandle file) { return answer(k, file, asked); }));
  }));
}

}  // namespace coldread::fuse
