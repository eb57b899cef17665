// `coldread bugs`: what is known, and whether it can be found.
#include <fmt/core.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "sim/cli/bugs.h"
#include "sim/cli/bugs_table.h"
#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/find_scenarios.h"
#include "sim/cli/interrupt.h"
#include "sim/cli/run_request.h"

namespace coldread::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t kSilentSchedules = 100;  // at least, where a race is not

struct BugsRequest {
  std::vector<std::string> ids;  // empty: all
  std::string directory;         // of scenarios; empty: the project's
  std::string format = "text";
  bool run = false;
  bool table = false;
  std::string strategy;  // empty: the one that the catalogue names
  uint64_t schedules = 10'000;
  uint64_t seed = kDefaultSeed;
};

std::vector<const Bug*> chosen(const BugsRequest& request) {
  std::vector<const Bug*> bugs;
  for (const std::string& id : request.ids) bugs.push_back(find_bug(id));
  if (!request.ids.empty()) return bugs;
  for (const Bug& bug : all_bugs()) bugs.push_back(&bug);
  return bugs;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string where(const Bug& bug) {
  if (!bug.profiles.empty()) return joined(bug.profiles);
  return fmt::format("no profile, but {} --without {}", bug.taken_out_of, bug.id);
}

Json describe(const Bug& bug) {
  return {{"id", bug.id},
          {"kind", bug.kind},
          {"summary", bug.summary},
          {"shows", bug.shows},
          {"race", bug.race},
          {"cve", bug.cve},
          {"commit", bug.fix == nullptr ? "" : bug.fix->commit},
          {"fixed_in", bug.fix == nullptr ? "" : bug.fix->since},
          {"mended_by", bug.mending == nullptr ? "" : bug.mending->name},
          {"profiles", bug.profiles},
          {"scenario", bug.scenario}};
}

// What became of it: "fixed in 6.10 by cf5bb09e742a, CVE-2024-42250".
std::string end_of(const Bug& bug) {
  if (bug.fix == nullptr && bug.mending == nullptr) return "not fixed";
  if (bug.fix == nullptr) return fmt::format("not fixed (mended by --with {})", bug.mending->name);
  return fmt::format("{} in {} by {}{}{}", bug.kind == "change" ? "changed" : "fixed",
                     bug.fix->since, bug.fix->commit, bug.cve.empty() ? "" : ", ", bug.cve);
}

int list(const BugsRequest& request) {
  Json out = Json::array();
  for (const Bug* bug : chosen(request)) {
    if (request.format == "json") {
      out.push_back(describe(*bug));
      continue;
    }
    fmt::print("{:<34} {:<7} {}{}\n", bug->id, bug->kind, bug->shows, bug->race ? ", a race" : "");
    fmt::print("    {}: {}\n", end_of(*bug), bug->summary);
    fmt::print("    in {}; scenarios/{}\n", where(*bug), bug->scenario);
  }
  if (request.format == "json") fmt::print("{}\n", out.dump(2));
  return kPassed;
}

struct Found {
  Hunt hunt;
  bool silent = true;  // where the bug is not
};

Found look_for(const BugsRequest& request, const Bug& bug, const scenario::Scenario& scenario) {
  const Profile with = profile_with(bug);
  const std::optional<SoundProfile> without = profile_without(bug);
  const std::string_view sound = without ? without->profile.name : "";
  Found found;
  HuntOptions options{bug.search, request.schedules, request.seed, &catch_interrupts()};
  if (!request.strategy.empty()) options.search = search_named(request.strategy);
  found.hunt = hunt(bug, scenario, with, sound, options);
  if (without) {
    options.limit = std::max(found.hunt.schedules, kSilentSchedules);
    found.silent = silent(bug, scenario, without->profile, options);
  }
  return found;
}

Json run_json(const Bug& bug, const Found& found) {
  const std::optional<SoundProfile> without = profile_without(bug);
  return {{"id", bug.id},
          {"profile", profile_with(bug).name},
          {"found", found.hunt.found},
          {"silent_in", without ? without->name : ""},
          {"silent", without ? Json(found.silent) : Json()},
          {"strategy", found.hunt.strategy},
          {"schedules", found.hunt.schedules},
          {"seconds", found.hunt.seconds},
          {"seed", found.hunt.seed}};
}

void print_run(const Bug& bug, const Found& found) {
  const Hunt& hunt = found.hunt;
  fmt::print("{:<6} {:<34} {:<8} {}, {} schedule{}, seed {}, {:.3f} s{}\n",
             hunt.found ? "found" : "MISSED", bug.id, profile_with(bug).name, hunt.strategy,
             hunt.schedules, hunt.schedules == 1 ? "" : "s", hunt.seed, hunt.seconds,
             found.silent ? "" : fmt::format(", NOT SILENT in {}", profile_without(bug)->name));
}

int run(const BugsRequest& request) {
  const Result<std::string> directory = scenarios_of_bugs(request.directory);
  if (!directory) {
    fmt::print(stderr, "coldread: {}\n", directory.error());
    return kBadInput;
  }
  const std::atomic<bool>& stop = catch_interrupts();
  Json out = Json::array();
  bool good = true;
  for (const Bug* bug : chosen(request)) {
    const Result<scenario::Scenario> scenario = load_bug_scenario(*directory, *bug);
    if (!scenario) {
      fmt::print(stderr, "coldread: {}\n", scenario.error());
      return kBadInput;
    }
    const Found found = look_for(request, *bug, *scenario);
    if (stop) break;  // this one was not looked for long enough
    good &= found.hunt.found && found.silent;
    if (request.format == "json") {
      out.push_back(run_json(*bug, found));
    } else {
      print_run(*bug, found);
      fflush(stdout);
    }
  }
  if (request.format == "json") fmt::print("{}\n", out.dump(2));
  if (!good) return kWrongAnswer;
  return stop ? kInterrupted : kPassed;
}

}  // namespace

void add_bugs(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("bugs", "The known bugs, and finding each of them");
  auto request = std::make_shared<BugsRequest>();
  command->add_option("ID", request->ids, "These alone")->check([](const std::string& id) {
    return find_bug(id) != nullptr ? std::string() : id + ": no such bug (see `coldread bugs`)";
  });
  CLI::Option* run_option =
      command->add_flag("--run", request->run,
                        "Look for each in the newest profile that has it, and in one that has not");
  command
      ->add_option("--schedules", request->schedules, "How many interleavings of a race are tried")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->capture_default_str();
  command->add_option("--strategy", request->strategy, "random, pct or pos for all")
      ->check(CLI::IsMember({"random", "pct", "pos"}))
      ->default_str("what finds each soonest");
  command
      ->add_flag("--table", request->table,
                 "How many schedules each strategy needs to find each race: medians of 20")
      ->excludes(run_option);
  command->add_option("--seed", request->seed, "The first of the random ones")
      ->check(CLI::Range(uint64_t{0}, uint64_t{1} << 62))
      ->capture_default_str();
  command->add_option("--scenarios", request->directory, "The directory with the scenarios");
  command->add_option("--format", request->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Exit code 1: one was not found, or was found where it is not. 130: on Ctrl-C, after what\n"
      "is known by then.\n\n"
      "Examples:\n"
      "  coldread bugs\n"
      "  coldread bugs --run\n"
      "  coldread bugs --table\n"
      "  coldread bugs --run poll-lock --seed 1000 --format json\n"
      "One of them as columns, and as a file for `shrink` and `replay`:\n"
      "  coldread explore scenarios/bugs/poll-lock.json --kernel 6.8 --strategy pos --save f.json");
  command->callback([&action, request] {
    action = [request] {
      if (request->table) return bugs_table(chosen(*request), request->directory, request->format);
      return request->run ? run(*request) : list(*request);
    };
  });
}

}  // namespace coldread::cli
