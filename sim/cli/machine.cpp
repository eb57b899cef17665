// Looks for programs, devices, headers and kernels.
#include "sim/cli/machine.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "fuse/supervisor/probe.h"
#include "kernelmodel/profile.h"
#include "sim/cli/find_scenarios.h"
#include "sim/live/kernel_image.h"

namespace coldread::cli {
namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Finding program(const std::string& name, const std::string& package, const std::string& purpose) {
  const std::string path = find_program(name);
  if (!path.empty()) return {name, true, path};
  return {name, false, fmt::format("missing (package {}): {}", package, purpose)};
}

// Of what building a kernel needs, Debian's packages that are not here.
std::vector<std::string> packages_missing_for_kernel(const std::string& series) {
  std::vector<std::string> missing;
  for (const auto& [program, package] : {std::pair{"make", "make"},
                                         {"gcc", "gcc"},
                                         {"flex", "flex"},
                                         {"bison", "bison"},
                                         {"bc", "bc"},
                                         {"xz", "xz-utils"},
                                         {"cpio", "cpio"},
                                         {"mkfs.ext4", "e2fsprogs"}}) {
    if (find_program(program).empty()) missing.emplace_back(package);
  }
  if (!exists("/usr/include/gelf.h")) missing.emplace_back("libelf-dev");
  if (!exists("/usr/include/openssl/ssl.h")) missing.emplace_back("libssl-dev");
  if (!exists("/usr/src/linux-source-" + series + ".tar.xz")) {
    missing.push_back("linux-source-" + series);
  }
  return missing;
}

Finding kernel(const std::string& series) {
  const std::string subject = "run --on kernel, " + series;
  const live::KernelLookup lookup = live::find_kernel(series, /*cached_only=*/true);
  if (lookup.image) return {subject, true, "works: Linux " + lookup.image->release};
  if (!lookup.can_be_built) return {subject, false, lookup.reason};
  const std::vector<std::string> missing = packages_missing_for_kernel(series);
  if (missing.empty()) return {subject, true, "not built yet; the first run does it, in minutes"};
  const std::string packages = fmt::format("{}", fmt::join(missing, " "));
  if (geteuid() == 0 && !find_program("apt-get").empty()) {
    return {subject, true, "not built yet; the first run does it, and installs " + packages};
  }
  return {subject, false, "not built, and cannot be without the packages " + packages};
}

Finding probed(const std::string& subject, const fuse::Probe& probe) {
  return {subject, probe.works, probe.text};
}

// What `serve` and `exec` build on, and what they will do with it.
void examine_fuse(std::vector<Finding>& findings) {
  const fuse::Probe mounting = fuse::probe_mounting();
  const fuse::Probe listener = fuse::probe_listener();
  const fuse::Probe memory = fuse::probe_memory();
  const fuse::Probe redirection = fuse::probe_redirection();
  findings.push_back(probed("/dev/fuse", mounting));
  findings.push_back(probed("seccomp listener", listener));
  findings.push_back(probed("programs' memory", memory));
  findings.push_back(probed("redirected reads", redirection));
  findings.push_back(probed("descriptors", fuse::probe_descriptors()));
  findings.push_back(
      {"serve", mounting.works,
       mounting.works ? "a mount for readers and cooperative daemons" : "needs mounting"});
  const bool exec = mounting.works && listener.works && memory.works;
  findings.push_back({"exec", exec,
                      exec ? "daemons run unchanged, under a seccomp listener"
                           : "needs mounting, a seccomp listener and programs' memory"});
}

Finding image() {
  for (const std::string& directory : made_blob_directories()) {
    const std::string path = directory + "/small.erofs";
    if (exists(path)) return {"EROFS image", true, path};
  }
  return {"EROFS image", false,
          "not made by the build (package erofs-utils): scenarios that read it are skipped"};
}

}  // namespace

std::string find_program(const std::string& name) {
  const char* path = getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  std::istringstream directories(std::string(path != nullptr ? path : "") + ":/usr/sbin:/sbin");
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::vector<Finding> examine_machine() {
  std::vector<Finding> findings = {{"run --on sim", true, "works: needs nothing"}};
  std::set<std::string> series;
  for (const Profile& profile : profiles()) {
    if (!profile.kernel_series.empty()) series.emplace(profile.kernel_series);
  }
  for (const std::string& one : series) findings.push_back(kernel(one));
  const Result<std::string> scenarios = default_scenarios();
  findings.push_back({"scenarios", scenarios.ok(), scenarios ? *scenarios : scenarios.error()});
  findings.push_back(image());
  findings.push_back(program("mkfs.erofs", "erofs-utils", "the build makes no EROFS image"));
  examine_fuse(findings);
  findings.push_back(program("g++", "g++", "one of the compilers the project is built with"));
  findings.push_back(program("clang++", "clang", "one of the compilers the project is built with"));
  return findings;
}

}  // namespace coldread::cli
