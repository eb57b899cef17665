// --with and --without: `run` and `explore` share them.
#include "sim/cli/commands.h"

namespace coldread::cli {

void add_changes(CLI::App& command, sim::Changes& changes) {
  command
      .add_option("--without", changes.without,
                  "Take an upstream change out of each profile (repeatable)")
      ->allow_extra_args(false);
  command
      .add_option("--with", changes.with,
                  "Put a change into each profile; `coldread profiles` lists all")
      ->allow_extra_args(false);
}

}  // namespace coldread::cli
