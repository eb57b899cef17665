#include "tests/fuzz/target.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "sim/machine/changes.h"

namespace coldread::fuzz {
namespace {

Profile& chosen() {
  static Profile profile = mended(*find_profile(kDefaultProfile));
  return profile;
}

[[noreturn]] void usage(const std::string& wrong) {
  fmt::print(stderr, "{}\n", wrong);
  std::exit(2);
}

void choose(std::string_view option, std::string_view value) {
  if (option == "--kernel") {
    const Profile* const profile = find_profile(value);
    if (profile == nullptr) usage(fmt::format("--kernel {}: no such profile", value));
    chosen() = mended(*profile);
    return;
  }
  const ChangeInfo* const change = find_change(value);
  if (change == nullptr) usage(fmt::format("{} {}: no such change", option, value));
  chosen() = option == "--with" ? chosen().with(change->change) : chosen().without(change->change);
}

}  // namespace

Profile mended(const Profile& profile) {
  Profile result = profile;
  for (const ChangeInfo& change : own_changes()) result = result.with(change.change);
  return result;
}

const Profile& profile() {
  return chosen();
}

std::string kernel_options(const Profile& profile) {
  const Profile& plain = *find_profile(profile.name);
  sim::Changes changes;
  const auto compare = [&](const ChangeInfo& info) {
    if (profile.has(info.change) == plain.has(info.change)) return;
    (profile.has(info.change) ? changes.with : changes.without).emplace_back(info.name);
  };
  for (const ChangeInfo& info : all_changes()) compare(info);
  for (const ChangeInfo& info : own_changes()) compare(info);
  compare(kCanary);
  return fmt::format(" --kernel {}{}", profile.name, sim::changes_text(changes));
}

void take_options(int* argc, char** argv) {
  int kept = 1;
  for (int i = 1; i < *argc; i++) {
    const std::string_view argument = argv[i];
    const std::string_view option = argument.substr(0, argument.find('='));
    if (option != "--kernel" && option != "--with" && option != "--without") {
      argv[kept++] = argv[i];
    } else if (option.size() < argument.size()) {
      choose(option, argument.substr(option.size() + 1));
    } else if (i + 1 < *argc) {
      choose(option, argv[++i]);
    } else {
      usage(fmt::format("{} needs a value", option));
    }
  }
  *argc = kept;
  argv[kept] = nullptr;
}

void found(const std::string& what, const std::string& input) {
  fmt::print(stderr, "FOUND on {}: {}\n{}", profile().name, what, input);
  std::fflush(stderr);
  std::abort();
}

void found(const player::RunReport& report, const std::string& input) {
  std::string what = fmt::format("{}: {}", report.kind, report.text);
  for (const std::string& detail : report.details) what += "\n  " + detail;
  found(what, input);
}

}  // namespace coldread::fuzz

// libFuzzer calls it before anything else.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
int LLVMFuzzerInitialize(int* argc, char*** argv) {
  coldread::fuzz::take_options(argc, *argv);
  return 0;
}
