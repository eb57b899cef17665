// The mount's device, as the supervisor needs it: held calls become fibers that run the
// model's own read and ioctl, with the program's descriptor numbers and memory.
//
// Thread rules: those of DeviceService; the model is touched on the host's thread only. What blocks
// (the program's memory, opening our own files) runs on helper threads. Lifetime: made after
// Server::start(); lives until Server::stop() has returned.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "fuse/mount/server.h"
#include "fuse/supervisor/device_service.h"

namespace coldread::fuse {

class HeldCall;

class MountedDevice final : public DeviceService {
 public:
  MountedDevice(Server& server, const std::string& mountpoint);

  std::string device_path() const override { return server_.device_path(); }
  Kind kind_of(const FileIdentity& file) const override;
  void read(std::shared_ptr<HeldRead> call) override;
  void call(std::shared_ptr<HeldFileCall> call) override;

  // What the host does for a supervisor, which lives until the host has stopped.
  struct Supervision {
    // Clients of the mount that wait in a read of an OPEN are redirected by this, on a helper
    // thread, as Device::redirect_opens() has it.
    std::function<bool(uint32_t thread)> redirect;
    // Called on the host's thread whenever `listener` is readable, until it returns false.
    int listener = -1;
    std::function<bool()> receive;
  };
  // A job for the host, which begins with it.
  Job supervising(Supervision supervision);

 private:
  void answer(HeldCall& call, uint64_t number, int64_t result);

  Server& server_;
  uint64_t last_call_ = 0;
  dev_t mount_ = 0;
};

}  // namespace coldread::fuse
