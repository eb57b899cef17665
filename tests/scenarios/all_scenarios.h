// Every scenario of the project, loaded: what the tests about all of them work on.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "sim/cli/execute.h"
#include "sim/cli/find_scenarios.h"

namespace coldread {

inline std::string source_root() {
  const char* root = std::getenv("COLDREAD_SOURCE");
  return root == nullptr ? "." : root;
}

inline const std::vector<scenario::Scenario>& all_scenarios() {
  static const std::vector<scenario::Scenario>& loaded = *[] {
    auto* scenarios = new std::vector<scenario::Scenario>;
    const auto files = cli::find_scenarios({source_root() + "/scenarios"}, "");
    EXPECT_TRUE(files.ok()) << "COLDREAD_SOURCE must name the project's directory";
    if (!files) return scenarios;
    for (const std::string& file : *files) {
      Result<scenario::Scenario> one = scenario::load_file(file, cli::load_options());
      EXPECT_TRUE(one.ok()) << (one.ok() ? "" : one.error());
      if (one) scenarios->push_back(std::move(*one));
    }
    return scenarios;
  }();
  return loaded;
}

}  // namespace coldread
