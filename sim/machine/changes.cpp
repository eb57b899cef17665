#include "sim/machine/changes.h"

#include <fmt/core.h>

namespace coldread::sim {
namespace {

Status check_names(const char* option, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (find_change(name) != nullptr) continue;
    std::string known;
    for (const auto& changes : {all_changes(), own_changes()})
      for (const ChangeInfo& change : changes) known += fmt::format(" {}", change.name);
    known += fmt::format(" {}", kCanary.name);
    return Error{fmt::format("{} {}: no such change; there are:{}", option, name, known)};
  }
  return Nothing{};
}

}  // namespace

Status check_changes(const Changes& changes) {
  if (Status status = check_names("--with", changes.with); !status) return status;
  return check_names("--without", changes.without);
}

Profile changed(const Profile& profile, const Changes& changes) {
  Profile result = profile;
  for (const std::string& name : changes.with) result = result.with(find_change(name)->change);
  for (const std::string& name : changes.without)
    result = result.without(find_change(name)->change);
  return result;
}

std::string changes_text(const Changes& changes) {
  std::string text;
  for (const std::string& name : changes.with) text += " --with " + name;
  for (const std::string& name : changes.without) text += " --without " + name;
  return text;
}

}  // namespace coldread::sim
