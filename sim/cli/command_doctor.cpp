// `coldread doctor`: what this machine can do.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/machine.h"

namespace coldread::cli {
namespace {

void print_text(const std::vector<Finding>& findings) {
  fmt::print("coldread {}\n", COLDREAD_VERSION);
  for (const Finding& finding : findings) {
    fmt::print("{:<4} {:<22} {}\n", finding.good ? "ok" : "no", finding.subject, finding.text);
  }
}

void print_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json out{{"version", COLDREAD_VERSION}};
  out["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    out["findings"].push_back(
        {{"subject", finding.subject}, {"good", finding.good}, {"text", finding.text}});
  }
  fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

void add_doctor(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("doctor", "What this machine can do");
  auto format = std::make_shared<std::string>("text");
  command->add_option("--format", *format)
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(
      "Tries what has to be tried, changes nothing; the exit code is 0 whatever is missing.\n\n"
      "Examples:\n"
      "  coldread doctor");
  command->callback([&action, format] {
    action = [format] {
      *format == "json" ? print_json(examine_machine()) : print_text(examine_machine());
      return kPassed;
    };
  });
}

}  // namespace coldread::cli
