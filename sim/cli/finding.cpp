#include "sim/cli/finding.h"

#include <fmt/core.h>

#include <sstream>

#include "sim/cli/execute.h"
#include "sim/cli/input_file.h"
#include "sim/cli/output_file.h"
#include "sim/scenario/loader.h"

namespace coldread::cli {

Result<LoadedFinding> load_finding(const std::string& path) {
  Result<std::ifstream> file = open_input(path);
  if (!file) return Error{file.error()};
  std::stringstream text;
  text << file->rdbuf();
  if (!*file) return Error{path + ": cannot be read"};
  Result<sim::FindingFile> finding = sim::parse_finding(path, text.str());
  if (!finding) return Error{finding.error()};
  const Profile* profile = find_profile(finding->kernel);
  if (profile == nullptr)
    return Error{path + ": /kernel: expected a profile (see `coldread profiles`), got " +
                 finding->kernel};
  Result<scenario::Scenario> scenario =
      scenario::load_text(finding->path, finding->scenario.dump(), load_options());
  if (!scenario) return Error{path + ": /scenario: " + scenario.error()};
  if (!scenario->unavailable.empty()) return Error{path + ": " + scenario->unavailable};
  const Profile changed = sim::changed(*profile, finding->changes);
  return LoadedFinding{std::move(*finding), changed, std::move(*scenario)};
}

bool write_finding(const std::string& path, const sim::FindingFile& finding) {
  const Status written = write_file(path, sim::finding_text(finding));
  if (!written) fmt::print(stderr, "coldread: {}\n", written.error());
  return static_cast<bool>(written);
}

}  // namespace coldread::cli
