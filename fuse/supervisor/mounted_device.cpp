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
    return ask("reserve", [this] { return call_.reserve(); });
  }
  void put_unused(int) override {}  // nothing was taken
  int write(std::span<const std::byte> from) override {
    return ask(
        "message", [this, from] { return call_.write(from); }, from);
  }
  void install(int fd, FileHandle file) override {
    const uint32_t object = server_.device().publish(file);
    const auto install = [this, fd, object] {
      return call_.install(server_.anon_path(object), fd);
    };
    // Nobody has opened it, and nobody will.
    if (ask("install", install, fd, object) != 0) server_.device().withdraw(object);
  }

 private:
  // The process is asked on a helper thread.
  template <typename Function, typename... Of>
  int ask(const char* what, Function function, const Of&... of) {
    Host& host = server_.host();
    return host.tape().ask(
        what, [&] { return offload(host.errands(), function); }, of...);
  }

  Server& server_;
  const HeldRead& call_;
};

// As the system call does, with the VFS' answers for what the file has not.
int64_t result_of(Kernel& k, FileHandle file, const FileCall& asked) {
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

void MountedDevice::answer(HeldCall& call, uint64_t number, int64_t result) {
  Tape& tape = server_.host().tape();
  if (tape.on()) tape.say({{"out", "answer"}, {"held", number}, {"result", result}});
  call.answer(result);
}

// The job keeps the call, since a fiber's stack must not.
void MountedDevice::read(std::shared_ptr<HeldRead> call) {
  const uint64_t number = ++last_call_;
  Job job{[this, call, number] {
            Reader reader(server_, *call);
            files_struct table(server_.kernel(), reader);
            UserBuffer buffer;
            buffer.size = call->size();
            buffer.memory = &reader;
            answer(*call, number, server_.device().read_message(table, buffer));
          },
          "daemon", static_cast<uint32_t>(call->thread())};
  if (server_.host().tape().on()) {
    job.record = members_of(
        {{"in", "read"}, {"held", number}, {"thread", call->thread()}, {"size", call->size()}});
  }
  server_.host().post(std::move(job));
}

void MountedDevice::call(std::shared_ptr<HeldFileCall> call) {
  const uint64_t number = ++last_call_;
  Job job{[this, call, number] {
            const FileCall& asked = call->call();
            const auto on_file = [&asked](Kernel& k, FileHandle file) {
              return result_of(k, file, asked);
            };
            const int64_t result = server_.device().on_file(asked.file.inode, on_file);
            // Readers that it woke are answered first: on one core the next read has come when the
            // daemon polls again, which then need not sleep.
            server_.host().scheduler().yield();
            answer(*call, number, result);
          },
          "daemon", static_cast<uint32_t>(call->thread())};
  if (server_.host().tape().on()) {
    const FileCall& asked = call->call();
    job.record = members_of({{"in", "file call"},
                             {"held", number},
                             {"thread", call->thread()},
                             {"what", asked.what},
                             {"inode", asked.file.inode},
                             {"argument", asked.argument},
                             {"number", asked.number}});
  }
  server_.host().post(std::move(job));
}

Job MountedDevice::supervising(Supervision supervision) {
  Host& host = server_.host();
  const auto redirect = [&host, how = std::move(supervision.redirect)](uint32_t thread) {
    const auto on_helper = [&] { return offload(host.errands(), [&] { return how(thread); }); };
    return host.tape().ask("redirect", on_helper, thread);
  };
  const auto receive = [&host, listener = supervision.listener,
                        receive = std::move(supervision.receive)] {
    if (!receive()) host.unwatch(listener);
  };
  Job job{[this, &host, redirect, listener = supervision.listener, receive] {
    server_.device().redirect_opens(redirect);
    if (listener >= 0) host.watch(listener, receive);
  }};
  job.record = members_of({{"in", "redirect opens"}});
  return job;
}

}  // namespace coldread::fuse
