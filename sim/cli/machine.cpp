// Looks for programs, devices, headers and kernels.
#include "sim/cli/machine.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include "kernelmodel/profile.h"
#include "sim/cli/find_scenarios.h"
#include "sim/live/guest.h"

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

// Debian's packages without which no kernel can be built here.
std::vector<std::string> packages_missing_for(const std::string& series) {
  std::vector<std::string> missing;
  for (const auto& [name, package] : {std::pair{"make", "make"},
                                      {"gcc", "gcc"},
                                      {"flex", "flex"},
                                      {"bison", "bison"},
                                      {"bc", "bc"},
                                      {"xz", "xz-utils"},
                                      {"cpio", "cpio"}}) {
    if (find_program(name).empty()) missing.emplace_back(package);
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
  if (find_program("mkfs.ext4").empty()) {
    return {subject, false, "mkfs.ext4 is missing (package e2fsprogs): guests need a disk"};
  }
  if (const auto built = live::find_kernel(series)) return {subject, true, "works: " + *built};
  const std::vector<std::string> missing = packages_missing_for(series);
  if (missing.empty()) return {subject, true, "not built yet; the first run builds it (minutes)"};
  const std::string list = fmt::format("{}", fmt::join(missing, " "));
  if (geteuid() == 0 && !find_program("apt-get").empty()) {
    return {subject, true, "not built yet; the first run installs " + list + " and builds it"};
  }
  return {subject, false, "not built, and cannot be: missing packages " + list};
}

Finding fuse_device() {
  if (access("/dev/fuse", F_OK) != 0) return {"/dev/fuse", false, "missing: no FUSE here"};
  if (access("/dev/fuse", R_OK | W_OK) != 0) {
    return {"/dev/fuse", false, "there, but not readable and writable for this user"};
  }
  return {"/dev/fuse", true, "readable and writable"};
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
    const std::string candidate = (directory.empty() ? "." : directory) + "/" + name;
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
  findings.push_back(fuse_device());
  findings.push_back(program("g++", "g++", "one of the compilers the project is built with"));
  findings.push_back(program("clang++", "clang", "one of the compilers the project is built with"));
  return findings;
}

}  // namespace coldread::cli
