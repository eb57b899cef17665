// `coldread explore`: its options.
#include <cmath>
#include <cstdlib>
#include <memory>

#include "kernelmodel/profile.h"
#include "sim/cli/commands.h"
#include "sim/cli/explore_scenarios.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "Runs scenarios under many schedules and looks for one in which something breaks. What a\n"
    "scenario's setup does is done first-in-first-out, all schedules begin after it. A finding is\n"
    "printed with the command that repeats it, with a schedule from which all that is not needed\n"
    "has been left out. What a scenario expects is told as well; --save keeps it if there is\n"
    "nothing else.\n\n"
    "Without PATH: the scenarios below ./scenarios, or those installed with the program.\n\n"
    "Strategies: random (every choice alike), pct (priorities that change at DEPTH - 1 points),\n"
    "pos (priorities drawn again where steps meet), dfs (all interleavings: a proof, if it "
    "ends).\n\n"
    "Examples:\n"
    "  coldread explore a.json                                10,000 random schedules\n"
    "  coldread explore a.json --strategy pct --depth 3 --time 60\n"
    "  coldread explore a.json --strategy dfs --preemptions 2\n"
    "  coldread explore a.json --shard 0/4 --format json      one of four parts, for `merge`\n"
    "  coldread run a.json --schedule 12:1,40:0               what a finding says";

void add_shard(CLI::App& command, ExploreRequest& request) {
  const auto assign = [&request](const std::string& text) {
    const size_t slash = text.find('/');
    const auto number = [](const std::string& digits) {
      const bool fine = !digits.empty() && digits.size() < 7 &&
                        digits.find_first_not_of("0123456789") == std::string::npos;
      return fine ? std::stoul(digits) : ~0UL;
    };
    request.shard = slash == std::string::npos ? ~0UL : number(text.substr(0, slash));
    request.shards = slash == std::string::npos ? 1 : number(text.substr(slash + 1));
    if (request.shards == ~0UL || request.shard >= request.shards)
      throw CLI::ValidationError("--shard", "expected K/N with K below N, got " + text);
  };
  command.add_option_function<std::string>("--shard", assign,
                                           "K/N: every Nth schedule, from the Kth on");
}

// What options cannot say of each other one by one; empty: fine.
std::string contradiction(const ExploreRequest& request, bool with_depth) {
  if (with_depth && request.strategy != "pct") return "--depth needs --strategy pct";
  if (request.preemptions && request.strategy != "dfs") return "--preemptions needs --strategy dfs";
  if (!request.check) return {};
  // Each schedule is played for itself, and nothing is looked for.
  if (request.strategy == "dfs") return "--check needs --strategy random, pct or pos";
  if (!request.save.empty()) return "--check finds nothing that --save could write";
  if (request.outcomes) return "--check and --outcomes do not go together";
  if (request.format != "text") return "--check says what it found as text";
  return {};
}

}  // namespace

void add_explore(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("explore", "Look for an interleaving that breaks");
  auto request = std::make_shared<ExploreRequest>();
  command->add_option("PATH", request->paths, "Scenario files, or directories of them");
  command
      ->add_option("--kernel", request->kernel,
                   "A profile; else the last one that a scenario lists")
      ->check([](const std::string& name) {
        return find_profile(name) != nullptr ? std::string() : name + ": no such profile";
      });
  add_changes(*command, request->changes);
  command->add_option("--strategy", request->strategy, "random, pct, pos or dfs")
      ->check(CLI::IsMember({"random", "pct", "pos", "dfs"}))
      ->capture_default_str();
  const CLI::Option* depth = command->add_option("--depth", request->depth, "Of pct")
                                 ->check(CLI::Range(1u, 5u))
                                 ->capture_default_str();
  command->add_option("--preemptions", request->preemptions, "Of dfs: at most so many in a run")
      ->check(CLI::Range(0u, 100u));
  command->add_option("--schedules", request->schedules, "Of each scenario at most so many")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 50))
      ->default_str("10000; of dfs all");
  command->add_option("--time", request->seconds, "For each scenario at most so many seconds")
      ->check(CLI::Range(0.0, 1e9))
      ->check([](const std::string& word) {  // which is in every range
        return std::isnan(std::atof(word.c_str())) ? "expected a number, got " + word : "";
      });
  add_number(*command, "--seed", "Of the first schedule", [request](uint64_t seed) {
    request->seed = seed;
  })->default_str(std::to_string(request->seed));
  command->add_option("--jobs", request->jobs, "Threads; dfs uses one")
      ->check(CLI::Range(1u, 256u))
      ->default_str("one per CPU");
  add_shard(*command, *request);
  command->add_flag("--keep-going", request->keep_going,
                    "Do not end a scenario with the first finding");
  command->add_flag("--outcomes", request->outcomes,
                    "List what came out, how often, and how to see it");
  command->add_flag("--daemon-choices", request->daemon_choices,
                    "Ready-made daemons (serve) also answer late, twice, never, or crash");
  command->add_flag("--check", request->check,
                    "Play each schedule twice, once on a fresh machine, and compare every state");
  command->add_option("--save", request->save,
                      "Write the first finding to FILE, for `shrink`, `replay` and other people");
  command->add_option("--format", request->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(kFooter);
  command->callback([&action, request, depth] {
    if (const Status known = sim::check_changes(request->changes); !known)
      throw CLI::ValidationError(known.error());
    if (const std::string wrong = contradiction(*request, depth->count() > 0); !wrong.empty())
      throw CLI::ValidationError(wrong);
    // What is left out depends on what was seen before, so one search is one machine's.
    if (request->strategy == "dfs" && request->shards > 1)
      throw CLI::ValidationError("--shard", "expected another strategy: dfs cannot be split");
    action = [request] { return explore_scenarios(*request); };
  });
}

}  // namespace coldread::cli
