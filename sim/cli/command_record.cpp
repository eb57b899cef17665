// `coldread record`: its options.
#include <memory>

#include "kernelmodel/profile.h"
#include "sim/cli/commands.h"
#include "sim/cli/record_scenarios.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "Plays scenarios on real kernels and writes their transcripts below DIR, for\n"
    "`coldread run --recorded DIR`. A scenario whose outcome depends on the interleaving is "
    "played\n"
    "several times, and the set of what was seen is recorded. Without PATH: all scenarios, and\n"
    "what was recorded of others is dropped.\n\n"
    "Examples:\n"
    "  coldread record --into tests/recordings               everything again\n"
    "  coldread record --into tests/recordings --missing     what is new or changed\n"
    "  coldread record a.json --into /tmp/r --repeat 100     one, often";

}  // namespace

void add_record(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("record", "Write down what real kernels answer");
  auto request = std::make_shared<RecordRequest>();
  command->add_option("PATH", request->paths, "Scenario files, or directories of them");
  command->add_option("--into", request->into, "The directory of recordings")->required();
  command->add_option("--kernel", request->kernel, "One profile instead of all a scenario lists")
      ->check([](const std::string& name) {
        return find_profile(name) != nullptr ? std::string() : name + ": no such profile";
      });
  command->add_option("--filter", request->filter, "Part of a path, or a glob it matches");
  command->add_option("--repeat", request->repeat, "How often a race is played")
      ->check(CLI::Range(1u, 10000u))
      ->capture_default_str();
  command
      ->add_option("--hang-after", request->hang_after, "Seconds after which a task counts as hung")
      ->check(CLI::Range(1u, 3600u))
      ->capture_default_str();
  command->add_flag("--missing", request->missing, "Only what is not recorded yet, or changed");
  command->footer(kFooter);
  command->callback(
      [&action, request] { action = [request] { return record_scenarios(*request); }; });
}

}  // namespace coldread::cli
