// One User-Mode Linux machine as a child of this process, which never outlives it.
//
// Between this process and the machine stands a keeper process: as soon as this process closes its
// end of their socket, be it by dying of a signal, the keeper kills the machine's process group and
// removes the machine's directory. So nothing has to be done in signal handlers.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/live/kernel_image.h"
#include "sim/result.h"

namespace coldread::live {

// An empty ext4 disk.
struct DiskSpec {
  uint64_t bytes = 0;
  uint64_t inodes = 0;    // 0: as many as mkfs.ext4 finds right
  uint32_t block = 4096;  // bytes
  bool operator==(const DiskSpec&) const = default;
};

struct MachineSpec {
  KernelImage image;
  DiskSpec disk;                            // /dev/ubda
  std::string init;                         // absolute path of the first process' program
  std::vector<std::string> init_arguments;  // "{DIR}" stands for the machine's directory
  unsigned memory_mb = 768;
};

inline constexpr uint64_t kMinDiskBytes = uint64_t{1} << 20;

class GuestMachine {
 public:
  // Makes the directory (with empty out/, cache/ and work/ in it) and the keeper; boots nothing
  // yet.
  static Result<std::unique_ptr<GuestMachine>> create(MachineSpec spec);
  ~GuestMachine();  // kills the machine, waits until it and its directory are gone
  GuestMachine(const GuestMachine&) = delete;
  GuestMachine& operator=(const GuestMachine&) = delete;

  Status boot();  // makes the disk and lets the keeper go on

  // Waits for the end of the machine for at most timeout_ms; true if it has ended.
  bool wait_end(int timeout_ms);

  const std::string& directory() const { return directory_; }
  std::string log() const;  // what its console said

 private:
  GuestMachine() = default;
  Status start_keeper();
  Status make_disk() const;

  MachineSpec spec_;
  std::string directory_;
  int socket_ = -1;
  pid_t keeper_ = -1;
  bool ended_ = false;
};

// The machine's command line, as exec wants it. Nothing is done.
Result<std::vector<std::string>> machine_arguments(const MachineSpec& spec,
                                                   const std::string& directory);

// The last `lines` lines of a log without carriage returns and empty lines.
std::string last_lines(const std::string& log, size_t lines);

}  // namespace coldread::live
