// What tests of `coldread exec` have in common: scripts that run below it, blobs, a cache.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/sim/cli/command.h"

namespace coldread {
using cli::CommandResult;
using testing::HasSubstr;

inline std::string environment(const std::string& name) {
  const char* value = getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr ? value : "";
}

// What the scripts of the tests have in common. `await WHAT FILE`: the daemon has said so.
inline constexpr const char* kPrelude = R"sh(
set -u
await() {
  for i in $(seq 500); do grep -q "$1" "$2" 2>/dev/null && return; sleep 0.02; done
  echo "no $1 in $2: $(cat "$2")"
  exit 1
}
compare() { cmp "$M/volumes/v/$1" "blobs/$1" && echo "$1 is right"; }
M=${COLDREAD_MOUNT:-}
)sh";

class Exec : public cli::CommandTest {
 protected:
  void SetUp() override {
    const auto machine = nlohmann::json::parse(run({"doctor", "--format", "json"}).out);
    for (const auto& finding : machine["findings"]) {
      if (finding["subject"] == "exec" && finding["good"] == false) {
        GTEST_SKIP() << finding["text"];
      }
    }
    std::string large(300'000, '\0');
    for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 31 + (i >> 12));
    write("blobs/large", large);
    write("blobs/small", "hello\n");
    write("blobs/other", std::string(5000, 'o'));
    std::filesystem::create_directory(directory_ / "w" / "cache");
  }

  // The named daemon's path; skips the test if there was no compiler for it.
  std::string program(const std::string& name) const {
    std::string path = environment("COLDREAD_DAEMON_" + name);
    EXPECT_TRUE(!path.empty()) << name;
    return path;
  }

  // A script below `coldread exec`, at most 60 seconds.
  CommandResult run_script(const std::string& script) const {
    const std::string name = directory_ / "script";
    std::ofstream(name) << kPrelude << script;
    return run_program(
        {"timeout", "-k", "5", "60", environment("COLDREAD"), "exec", "--", "bash", name});
  }

  // Two files are read through a daemon, which is started by `command`.
  std::string read_through(const std::string& command) const {
    const CommandResult result = run_script(
        fmt::format("{} > log 2>&1 & D=$!; await ready log\n"
                    "mkdir $M/volumes/v; compare large; compare small; cat $M/volumes/v/none 2>&1\n"
                    "kill $D; wait; cat log\n",
                    command));
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out + result.err;
  }
  static void expect_served(const std::string& out) {
    EXPECT_THAT(out, HasSubstr("large is right\nsmall is right\n"));
  }
};

}  // namespace coldread
