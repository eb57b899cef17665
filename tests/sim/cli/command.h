// Runs the `coldread` command as its users do: a process, its exit code, what it printed.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace coldread::cli {

struct CommandResult {
  int exit_code = -1;  // -N: ended by signal N
  std::string out;
  std::string err;
};

// A scenario of one task `a` with these steps, for every profile checked against a real kernel.
std::string scenario_of(const std::string& steps);

// Scenarios by what comes of them.
std::string passing_scenario();
std::string failing_scenario();  // a wrong answer
std::string hanging_scenario();

class CommandTest : public testing::Test {
 protected:
  CommandTest();
  ~CommandTest() override;

  // A file in the scratch directory, which is the command's current one; directories are made.
  void write(const std::string& name, const std::string& text);
  std::string read(const std::string& name) const;
  bool exists(const std::string& name) const;
  std::vector<std::string> all_files() const;  // relative, ordered

  // `coldread ARGUMENTS`.
  CommandResult run(const std::vector<std::string>& arguments) const;
  // The same, with SIGINT once it catches that and has printed something, if `printed`.
  CommandResult interrupt(const std::vector<std::string>& arguments, bool printed = false) const;
  // Any program; [0] is looked for in PATH. Standard input is empty.
  CommandResult run_program(const std::vector<std::string>& words) const;

  std::filesystem::path directory_;

 private:
  pid_t start(const std::vector<std::string>& words) const;
  CommandResult finish(pid_t child) const;
};

}  // namespace coldread::cli
