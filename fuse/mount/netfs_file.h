// dev/coldread_netfs: fscache's own calls, for programs that play a netfs.
//
// Takes the ioctls of tests/kernel/module/coldread_netfs.h and answers them as that module does in
// a real kernel, so that one and the same program plays a scenario on both. Pointers are followed
// in the calling process' memory. Closing the last descriptor gives back what is left.
//
// Thread rules: the host's thread, on fibers. Lifetime: kernel and offload outlive it.
#pragma once

#include <list>

#include "fuse/mount/node.h"
#include "fuse/offload.h"
#include "sim/machine/netfs_table.h"
#include "tests/kernel/module/coldread_netfs.h"

namespace coldread::fuse {

class NetfsFile final : public Node {
 public:
  // `errands`: for looks into processes that may themselves wait for our mount.
  NetfsFile(Kernel& kernel, Offload& errands, Tape& tape)
      : errands_(errands), tape_(tape), table_(kernel) {}

  Attributes attributes() override { return {S_IFREG | 0600, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void ioctl(Request& request) override;
  void release(Request& request) override;

 private:
  union Arguments {
    coldread_volume volume;
    coldread_cookie cookie;
    coldread_cookie_call on_cookie;
    coldread_operation operation;
    coldread_prepare prepare;
    coldread_range range;
    coldread_io io;
    coldread_issue issue;
  };
  using Bytes = std::vector<std::byte>;
  // An ioctl under way: what it owns must not lie on its stack.
  struct Call {
    pid_t thread = 0;
    uint32_t command = 0;
    Arguments arguments{};
    std::string key, cache;
    Bytes bytes, aux;
    player::AlignedBuffer data, pages;
  };

  int64_t dispatch(Call& call);
  int64_t on_volume(Call& call);
  int64_t acquire_cookie(Call& call);
  int64_t on_cookie(Call& call);
  int64_t update(Call& call, CookieHandle cookie);
  int64_t on_operation(const Call& call);
  int64_t prepare_read(coldread_prepare& call);
  int64_t on_range(Call& call);
  int64_t on_data(Call& call);
  int64_t issue_write(Call& call);

  // 0 or -EFAULT.
  int copy_in(const Call& call, uint64_t address, std::span<std::byte> to);
  int copy_in(const Call& call, uint64_t address, size_t length, Bytes& to);
  int copy_string_in(Call& call, uint64_t address, std::string& to);

  Offload& errands_;
  Tape& tape_;
  sim::NetfsTable table_;
  std::list<Call> calls_;
  unsigned opens_ = 0;
};

}  // namespace coldread::fuse
