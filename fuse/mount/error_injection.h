// proc/sys/cachefiles/error_injection: a number that makes the cache's calls fail, as in a kernel
// built with CONFIG_CACHEFILES_ERROR_INJECTION.
//
// Bit 0: ENOSPC for writes; bit 1: EIO for reads, writes and removals. Thread rules: the host's
// thread, on fibers.
#pragma once

#include "fuse/mount/node.h"
#include "kernelmodel/kernel/kernel.h"

namespace coldread::fuse {

class ErrorInjection final : public Node {
 public:
  explicit ErrorInjection(Kernel& kernel) : kernel_(kernel) {}

  Attributes attributes() override { return {S_IFREG | 0600, 0, 3600}; }
  double entry_timeout() const override { return 3600; }
  void open(Request& request) override;
  void write(Request& request) override;  // decimal, 0 to 3; EINVAL

 private:
  Kernel& kernel_;
};

}  // namespace coldread::fuse
