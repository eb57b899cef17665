// Images that supervised programs mount, as jobs for the server that reads them; and its kernel
// log.
//
// Thread rules and lifetime: those of MountService; made after Server::start(), lives until
// Server::stop() has returned.
#pragma once

#include "fuse/mount/server.h"
#include "fuse/supervisor/mount_service.h"

namespace coldread::fuse {

class MountedImages final : public MountService {
 public:
  explicit MountedImages(Server& server) : server_(server) {}

  int check_option(const std::string& option) const override;
  int mount(const std::vector<std::string>& options, const std::string& name, Attach attach,
            Wanted wanted) override;
  void unmounted(Wanted wanted) override;
  void ignored_options() override;
  std::string kernel_log(size_t size, bool clear) override;

 private:
  int wait_for(std::function<int()> job, const Wanted& wanted);

  Server& server_;
};

}  // namespace coldread::fuse
