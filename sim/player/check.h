// The verdict: a transcript against a scenario's expectations, and two transcripts with each other.
//
// Pure functions: they share nothing, cannot fail, and keep no reference to what they are given.
#pragma once

#include "sim/player/transcript.h"
#include "sim/scenario/scenario.h"

namespace coldread::player {

struct Mismatch {
  std::string pointer;   // the expectation's JSON pointer: "/tasks/reader/2/expect", "/expect/disk"
  std::string task;      // empty for final expectations
  std::string expected;  // as text, one line
  std::string got;
};

// Every expectation of the scenario that the transcript does not meet, in the order of tasks and
// steps; empty: passed. `profile` selects among expectations by kernel. A step without "expect"
// must succeed (command: the whole length; read: all the bytes asked for).
std::vector<Mismatch> verify(const scenario::Scenario& scenario, const std::string& profile,
                             const Transcript& transcript);

// Where two transcripts of the same scenario, whole or canonical(), differ: JSON pointers into
// canonical(); "expected" is what the real kernel did, "got" what the model did. The disk is left
// out if one of them has not looked.
std::vector<Mismatch> compare(const Transcript& model, const Transcript& real);
std::vector<Mismatch> compare(const nlohmann::json& model, const nlohmann::json& real);

}  // namespace coldread::player
