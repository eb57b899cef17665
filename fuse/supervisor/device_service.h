// What the supervisor needs of the server whose device it shows to programs.
//
// The server answers held calls through fuse/supervisor/held_call.h. Thread rules: kind_of() from
// any thread; read() and call() from the one that receives, which may be the server's own: they
// return at once and the call is answered later, from any thread. Lifetime: outlives the
// Supervisor.
#pragma once

#include <memory>
#include <string>

#include "fuse/supervisor/process.h"

namespace coldread::fuse {

class HeldRead;
class HeldFileCall;

class DeviceService {
 public:
  // The file that stands for /dev/cachefiles. The supervisor opens it in a program's name, after
  // it has checked the program's rights: the server lets its own process open it.
  virtual std::string device_path() const = 0;

  enum class Kind { other, device, anonymous };
  // Which of the server's files this is: the device, or one that came with an OPEN.
  virtual Kind kind_of(const FileIdentity& file) const = 0;

  // read() of the device.
  virtual void read(std::shared_ptr<HeldRead> call) = 0;
  // Another call on one of the server's files.
  virtual void call(std::shared_ptr<HeldFileCall> call) = 0;

 protected:
  DeviceService() = default;
  ~DeviceService() = default;
};

}  // namespace coldread::fuse
