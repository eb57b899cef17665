// `coldread exec`: its options.
#include <memory>

#include "kernelmodel/profile.h"
#include "sim/cli/commands.h"
#include "sim/cli/exec_program.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "COMMAND, its children and threads find /dev/cachefiles, which this machine need not have: "
    "open\nit, read messages, get descriptors with OPEN, complete READs by ioctl. The cache is in "
    "the\ndirectory that the daemon names with `dir`. Readers find the files below "
    "M/volumes;\nCOMMAND has M as $COLDREAD_MOUNT. What it mounts with `mount -t erofs none -o "
    "fsid=IMAGE DIR`\nis an image that the daemon serves; nobody else sees it.\n\n"
    "Ends when everything that COMMAND started has ended, with COMMAND's status, 128 + N for "
    "a\nsignal, 127 and 126 for a program that is not there or cannot be executed; 5 if the "
    "machine\n"
    "does not allow it (see `coldread doctor`). SIGUSR1 prints what has been read of each "
    "object.\n\n"
    "Examples:\n"
    "  coldread exec --mount /mnt -- ./daemon /var/cache/d /blobs\n"
    "  coldread exec -- bash -c './daemon d blobs & sleep 1; cat $COLDREAD_MOUNT/volumes/v/c'";

}  // namespace

void add_exec(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("exec", "Run an unmodified daemon on the model");
  auto request = std::make_shared<ExecRequest>();
  command->add_option("COMMAND", request->words, "The program and its arguments")->required();
  command->add_option("--kernel", request->kernel, "The kernel that is modelled")
      ->capture_default_str()
      ->check([](const std::string& name) {
        return find_profile(name) != nullptr ? std::string() : name + ": no such profile";
      });
  command->add_option("--mount", request->mountpoint,
                      "Where to mount; otherwise a temporary directory");
  command->add_flag("--direct", request->direct, kDirectHelp);
  command->add_flag(
      "--watch-all", request->watch_all,
      "Numbers, lseek and ioctls as a kernel has them; all opens and reads pay for it");
  command->add_flag("--host-mounts", request->host_mounts,
                    "What COMMAND mounts is seen by everybody, and stays until it is unmounted");
  command->add_option("--record", request->record,
                      "Write down all that happens, for `coldread run FILE` to play it again");
  command->positionals_at_end();
  command->footer(kFooter);
  command->callback([&action, request] { action = [request] { return exec_program(*request); }; });
}

}  // namespace coldread::cli
