// The modelled kernel's log as /dev/kmsg shows one: a record for each read, from the oldest on.
//
// `coldread exec` puts this file in the place of /dev/kmsg, for dmesg(1). Without a record a read
// waits (-EAGAIN with O_NONBLOCK, -EINTR for a signal). SEEK_DATA goes behind what was cleared,
// SEEK_END behind everything, SEEK_SET to the oldest. What is written becomes a record. Thread
// rules: the host's thread, on fibers.
#pragma once

#include <map>

#include "fuse/host/kernel_log.h"
#include "fuse/mount/node.h"

namespace coldread::fuse {

inline constexpr fuse_ino_t kKmsgInode = 5;  // others are counted, and in recordings

class Kmsg final : public Node {
 public:
  Kmsg(Scheduler& scheduler, KernelLog& log) : scheduler_(scheduler), log_(log) {}

  std::string path() const override { return "dev/kmsg"; }
  Attributes attributes() override { return {S_IFREG | 0644, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void read(Request& request) override;
  void write(Request& request) override;
  void lseek(Request& request) override;
  void release(Request& request) override;
  void setattr(Request& request) override { table->reply_attributes(request, *this); }

 private:
  Scheduler& scheduler_;
  KernelLog& log_;
  uint64_t last_handle_ = 0;
  std::map<uint64_t, uint64_t> positions_;  // by handle: the number of the next record
};

}  // namespace coldread::fuse
