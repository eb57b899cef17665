// `coldread merge`: adds up what several machines explored.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "sim/cli/commands.h"
#include "sim/cli/exit_code.h"
#include "sim/cli/explored.h"
#include "sim/cli/input_file.h"

namespace coldread::cli {
namespace {

constexpr const char* kFooter =
    "FILE is what `coldread explore --shard K/N --format json` printed, a line for each scenario.\n"
    "Parts of the same exploration are added up, as if one machine had run all of it. Exit code 3\n"
    "or 4 if anything was found, else 130 if a part was interrupted.\n\n"
    "Example:\n"
    "  coldread explore a.json --shard 0/2 --format json > 0.json\n"
    "  coldread explore a.json --shard 1/2 --format json > 1.json\n"
    "  coldread merge 0.json 1.json";

struct MergeRequest {
  std::vector<std::string> paths;
  bool outcomes = false;
  std::string format = "text";
};

// To the exploration it is part of, or as the first of one.
Status add(std::vector<Explored>& all, Explored part, const std::string& place) {
  const auto same = std::find_if(all.begin(), all.end(), [&](const Explored& other) {
    return other.exploration == part.exploration;
  });
  if (same == all.end()) {
    all.push_back(std::move(part));
    return Nothing{};
  }
  const Status merged = merge_explored(*same, std::move(part));
  if (!merged) return Error{place + ": " + merged.error()};
  return Nothing{};
}

Status add_file(std::vector<Explored>& all, const std::string& path) {
  Result<std::ifstream> opened = open_input(path);
  if (!opened) return Error{opened.error()};
  std::ifstream& file = *opened;
  if (file.peek() == std::ifstream::traits_type::eof())
    return Error{path + ": expected what `explore --format json` printed, not nothing"};
  std::string line;
  for (size_t number = 1; std::getline(file, line); number++) {
    const std::string place = fmt::format("{}: line {}", path, number);
    Result<Explored> part = parse_explored(place, line);
    if (!part) return Error{part.error()};
    if (Status added = add(all, std::move(*part), place); !added) return added;
  }
  if (file.bad()) return Error{path + ": cannot be read"};
  return Nothing{};
}

int merge(const MergeRequest& request) {
  std::vector<Explored> all;  // in the order of their first parts
  for (const std::string& path : request.paths) {
    const Status added = add_file(all, path);
    if (added) continue;
    fmt::print(stderr, "coldread: {}\n", added.error());
    return kBadInput;
  }
  int exit_code = kPassed;
  for (const Explored& explored : all) {
    if (request.format == "json")
      fmt::print("{}\n", explored_json(explored));
    else
      fmt::print("{}", explored_text(explored, request.outcomes));
    exit_code = worse(exit_code, exit_code_of(explored));
  }
  return exit_code;
}

}  // namespace

void add_merge(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("merge", "Add up what several machines explored");
  auto request = std::make_shared<MergeRequest>();
  command->add_option("FILE", request->paths, "What `explore` printed")->required();
  command->add_flag("--outcomes", request->outcomes, "List what came out");
  command->add_option("--format", request->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->footer(kFooter);
  command->callback([&action, request] { action = [request] { return merge(*request); }; });
}

}  // namespace coldread::cli
