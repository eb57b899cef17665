// `coldread mount`: mounts an EROFS image on demand, as `mount -t erofs none -o fsid=...` does.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/served_mounts.h"

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

struct MountRequest {
  std::string options;
  std::string server;
  std::string mountpoint;
};

// The server that is meant; empty if that is not clear, which is said.
std::string find_server(const std::string& named) {
  if (!named.empty()) return named;
  if (const char* const exec = std::getenv("COLDREAD_MOUNT")) return exec;
  const std::vector<std::string> all = served_mounts();
  if (all.size() == 1) return all[0];
  fmt::print(stderr, "coldread: {}; expected --on MOUNTPOINT of `coldread serve`\n",
             all.empty() ? "nothing is served" : "several are served");
  return {};
}

int mount(const MountRequest& request) {
  std::error_code error;
  if (!fs::is_directory(request.mountpoint, error)) {
    fmt::print(stderr, "coldread: {}: expected an existing directory to mount on\n",
               request.mountpoint);
    return kBadInput;
  }
  if (request.options.find('\n') != std::string::npos) {
    fmt::print(stderr, "coldread: -o: expected options on one line\n");
    return kBadInput;
  }
  const std::string server = find_server(request.server);
  if (server.empty()) return kBadInput;
  const int file = open((server + "/mount").c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) {
    fmt::print(stderr, "coldread: {}/mount: {}; expected what `coldread serve` mounted\n", server,
               std::strerror(errno));
    return kBadInput;
  }
  const std::string text =
      request.options + "\n" + fs::canonical(request.mountpoint, error).string();
  const ssize_t written = write(file, text.data(), text.size());
  const int failed = written < 0 ? errno : 0;
  close(file);
  if (failed == 0) return kPassed;
  fmt::print(stderr, "coldread: mounting {} on {}: {}\n", request.options, request.mountpoint,
             std::strerror(failed));
  return failed == EINVAL ? kBadInput : kWrongAnswer;
}

}  // namespace

void add_mount(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("mount", "Mount an EROFS image that a daemon serves");
  auto request = std::make_shared<MountRequest>();
  command
      ->add_option("-o", request->options,
                   "fsid=IMAGE, and domain_id=DOMAIN, device=BLOB for each further blob")
      ->required();
  command->add_option("--on", request->server, "Where `coldread serve` is mounted, if several are");
  command->add_option("MOUNTPOINT", request->mountpoint, "An existing directory")->required();
  command->footer(
      "What the kernel's `mount -t erofs none -o fsid=...` does, with its errors; end it with "
      "umount.\n\n"
      "Examples:\n"
      "  coldread mount -o fsid=image.erofs /mnt/image\n"
      "  coldread mount -o fsid=boot,device=blob1,domain_id=shared --on /mnt/served /mnt/image");
  command->callback([&action, request] { action = [request] { return mount(*request); }; });
}

}  // namespace coldread::cli
