// What this machine has, as `coldread doctor` tells it: facts, each with what it is good for.
#pragma once

#include <string>
#include <vector>

namespace coldread::cli {

struct Finding {
  std::string subject;  // "run --on kernel 6.12", "mkfs.erofs"
  bool good = false;
  std::string text;  // what was found, or what is missing and what it would take
};

// In a fixed order. Changes nothing; what has to be tried is tried by children that end at once.
std::vector<Finding> examine_machine();

// The program's path as the shell would find it, /usr/sbin and /sbin included; empty: not there.
std::string find_program(const std::string& name);

}  // namespace coldread::cli
