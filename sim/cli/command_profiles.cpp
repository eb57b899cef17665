// `coldread profiles`: which kernels are modelled, and which upstream changes each has.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "kernelmodel/profile.h"
#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"

namespace coldread::cli {
namespace {

using Json = nlohmann::ordered_json;

// A change that the older of two profiles has and the newer has not.
std::string why_lost(const ChangeInfo& change, const Profile& newer) {
  if (change.needed_since.empty()) return fmt::format(" (not in {})", newer.name);
  return fmt::format(" (not in {}, not needed before {})", newer.name, change.needed_since);
}

void print_change(const ChangeInfo& change, const std::string& note) {
  fmt::print("  {:<34} since {:<5} {:<13} {}{}\n", change.name, change.since, change.commit,
             change.summary, note);
}

void print_difference(const Profile& a, const Profile& b) {
  fmt::print("From {} to {}:\n", a.name, b.name);
  size_t common = 0;
  for (const ChangeInfo& change : all_changes()) {
    if (b.has(change.change) && !a.has(change.change)) print_change(change, "");
    common += a.has(change.change) && b.has(change.change) ? 1 : 0;
  }
  for (const ChangeInfo& change : all_changes()) {
    if (a.has(change.change) && !b.has(change.change)) print_change(change, why_lost(change, b));
  }
  fmt::print("{} changes are in both.\n", common);
}

void print_text() {
  for (const Profile& profile : profiles()) {
    fmt::print("{:<10} {}{}{}\n", profile.name, profile.description,
               profile.derived ? " (derived)" : "",
               profile.name == kDefaultProfile ? " (default)" : "");
    for (const ChangeInfo& change : all_changes()) {
      if (profile.has(change.change)) fmt::print("             + {}\n", change.name);
    }
  }
  fmt::print("\nChanges:\n");
  for (const ChangeInfo& change : all_changes()) {
    fmt::print("  {:<34} {:<5} {:<13} {}\n", change.name, change.since, change.commit,
               change.summary);
  }
  fmt::print("\nIn no kernel, for --with:\n");
  for (const ChangeInfo& change : own_changes())
    fmt::print("  {:<34} {}\n", change.name, change.summary);
  fmt::print("  {:<34} {}\n", kCanary.name, kCanary.summary);
}

Json describe(const ChangeInfo& change) {
  return {{"name", change.name},
          {"since", change.since},
          {"commit", change.commit},
          {"summary", change.summary}};
}

void print_difference_json(const Profile& a, const Profile& b) {
  Json out{{"from", a.name},
           {"to", b.name},
           {"added", Json::array()},
           {"removed", Json::array()},
           {"common", Json::array()}};
  for (const ChangeInfo& change : all_changes()) {
    if (a.has(change.change) && b.has(change.change))
      out["common"].push_back(change.name);
    else if (a.has(change.change) || b.has(change.change))
      out[b.has(change.change) ? "added" : "removed"].push_back(describe(change));
  }
  fmt::print("{}\n", out.dump(2));
}

void print_json() {
  Json out{{"default", kDefaultProfile}, {"profiles", Json::array()}, {"changes", Json::array()}};
  for (const Profile& profile : profiles()) {
    Json has = Json::array();
    for (const ChangeInfo& change : all_changes()) {
      if (profile.has(change.change)) has.push_back(change.name);
    }
    out["profiles"].push_back({{"name", profile.name},
                               {"description", profile.description},
                               {"derived", profile.derived},
                               {"kernel_series", profile.kernel_series},
                               {"changes", has}});
  }
  for (const ChangeInfo& change : all_changes()) out["changes"].push_back(describe(change));
  out["in_no_kernel"] = Json::array();
  for (const ChangeInfo& change : own_changes()) out["in_no_kernel"].push_back(describe(change));
  out["in_no_kernel"].push_back(describe(kCanary));
  fmt::print("{}\n", out.dump(2));
}

}  // namespace

void add_profiles(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("profiles", "The kernels that are modelled");
  auto format = std::make_shared<std::string>("text");
  command->add_option("--format", *format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  auto difference = std::make_shared<std::vector<std::string>>();
  command->add_option("--diff", *difference, "What changed from profile A to profile B")
      ->expected(2)
      ->type_name("A B")
      ->check([](const std::string& name) {
        return find_profile(name) != nullptr ? std::string() : name + ": no such profile";
      });
  command->footer(
      "A profile is a list of upstream changes. One marked (derived) was not compared with a\n"
      "running kernel. `run` and `explore` take changes out (--without) and put them in "
      "(--with).\n\n"
      "Examples:\n"
      "  coldread profiles\n"
      "  coldread profiles --diff 6.1 6.12.117\n"
      "  coldread profiles --format json | jq -r '.profiles[].name'");
  command->callback([&action, format, difference] {
    action = [format, difference]() -> int {
      const bool json = *format == "json";
      if (difference->empty()) {
        json ? print_json() : print_text();
      } else {
        const Profile& from = *find_profile(difference->front());
        const Profile& to = *find_profile(difference->back());
        json ? print_difference_json(from, to) : print_difference(from, to);
      }
      return kPassed;
    };
  });
}

}  // namespace coldread::cli
