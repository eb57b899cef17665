// Finding, and if need be building, a real kernel for a profile.
#pragma once

#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace coldread::live {

struct KernelImage {
  std::string release;  // of the tree that was built: "6.12.117"
  std::string linux_path;
  std::string module_path;
};

struct KernelLookup {
  std::optional<KernelImage> image;
  bool skip = false;         // no image: this machine cannot have one, which is nobody's failure
  bool can_be_built = true;  // false: nor would it be without `cached_only`
  std::string reason;        // no image: why
};

// What else a kernel is.
struct KernelVariant {
  bool security = false;     // with CONFIG_SECURITY
  std::string without = {};  // an upstream change that is taken back; empty: none

  bool operator==(const KernelVariant&) const = default;
  bool operator<(const KernelVariant& other) const {
    return std::tie(security, without) < std::tie(other.security, other.without);
  }
};

// The kernel of a series, "6.1" or "6.12", or an exact release of one. Runs tests/kernel/build,
// which takes minutes the first time and says so on stderr; with `cached_only` it never builds or
// installs anything. The script lies in the directory COLDREAD_KERNEL_TOOLS, by default where this
// program's source was, or what is installed beside it.
// Thread rules: any number at once, builds wait for each other.
KernelLookup find_kernel(const std::string& series, bool cached_only = false,
                         const KernelVariant& variant = {});

// The same without asking whether this program can run in a guest at all; the rest of what
// find_kernel() does.
KernelLookup ask_build_script(const std::string& series, bool cached_only,
                              const KernelVariant& variant = {});

// The upstream changes of which the script knows how to take them back, sorted.
std::vector<std::string> changes_taken_back();

// What the script says: its output, and its exit status.
KernelLookup parse_build_output(const std::string& output, int status);

}  // namespace coldread::live
