// `coldread schema`: the JSON Schema of scenarios, as built into the program.
#include <cstdio>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/schema_text.h"

namespace coldread::cli {

void add_schema(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("schema", "The JSON Schema (draft 7) of scenario files");
  command->footer(
      "Editors that know JSON Schema complete and check scenarios with it.\n\n"
      "Examples:\n"
      "  coldread schema > scenario.schema.json");
  command->callback([&action] {
    action = [] {
      const bool written =
          fwrite(kSchemaText.data(), 1, kSchemaText.size(), stdout) == kSchemaText.size();
      return written && fflush(stdout) == 0 ? kPassed : kEnvironmentFailed;
    };
  });
}

}  // namespace coldread::cli
