// `coldread umount`: ends a mount, or cleans up behind a server that was killed.
#include <fmt/core.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/served_mounts.h"

namespace coldread::cli {
namespace {

// Whether our file system is mounted there. The path is not looked at: its server may be dead.
bool is_mounted(const std::string& mountpoint) {
  const std::vector<std::string> all = served_mounts();
  return std::find(all.begin(), all.end(), mountpoint) != all.end();
}

int run_fusermount(const std::string& mountpoint, bool lazy) {
  const pid_t child = fork();
  if (child == 0) {
    execlp("fusermount3", "fusermount3", lazy ? "-uz" : "-u", mountpoint.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -errno;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

// 0 or a negative errno. Root's own call; users have fusermount3.
int unmount(const std::string& mountpoint, bool lazy) {
  if (geteuid() != 0) return run_fusermount(mountpoint, lazy);
  if (lazy) umount2(mountpoint.c_str(), MNT_FORCE);  // ends the connection, then says EBUSY
  if (!is_mounted(mountpoint)) return 0;
  return umount2(mountpoint.c_str(), lazy ? MNT_DETACH : 0) == 0 ? 0 : -errno;
}

int umount(const std::string& argument, bool force) {
  // Lexically: a dead mount cannot be looked up.
  std::error_code error;
  std::string mountpoint = std::filesystem::absolute(argument, error).lexically_normal();
  while (mountpoint.size() > 1 && mountpoint.back() == '/') mountpoint.pop_back();
  if (!is_mounted(mountpoint)) {
    const std::string resolved = std::filesystem::weakly_canonical(argument, error);
    if (error || !is_mounted(resolved)) {
      fmt::print(stderr, "coldread: {}: expected a directory that `coldread serve` mounted\n",
                 argument);
      return kBadInput;
    }
    mountpoint = resolved;
  }
  // Not stat(): the root's attributes are believed for an hour, whoever serves them.
  struct statfs statistics = {};
  const bool dead = statfs(mountpoint.c_str(), &statistics) < 0 && errno == ENOTCONN;
  if (dead)
    fmt::print("{}: its server has gone without unmounting (killed?); cleaning up\n", mountpoint);
  const int result = unmount(mountpoint, force || dead);
  if (result == 0) return kPassed;
  fmt::print(stderr, "coldread: {}: {}{}\n", mountpoint, std::strerror(-result),
             result == -EBUSY ? "; files are open there (fuser -m tells whose), --force ends their "
                                "reads with an error"
                              : "");
  return kEnvironmentFailed;
}

}  // namespace

void add_umount(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("umount", "End a mount, or clean up behind a dead one");
  auto mountpoint = std::make_shared<std::string>();
  auto force = std::make_shared<bool>(false);
  command->add_option("MOUNTPOINT", *mountpoint, "What `coldread serve` mounted on")->required();
  command->add_flag("--force", *force, "Even if files are open: their reads end with an error");
  command->footer(
      "The server ends by itself. A mount whose server was killed says \"Transport endpoint is "
      "not\n"
      "connected\" until it is cleaned up by this.\n\n"
      "Examples:\n"
      "  coldread umount /mnt/blobs");
  command->callback([&action, mountpoint, force] {
    action = [mountpoint, force] { return umount(*mountpoint, *force); };
  });
}

}  // namespace coldread::cli
