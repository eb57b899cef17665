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

// What runs of this scenario are compared by: canonical(), and as "events" those trace events whose
// names the scenario's expectations hold, in their order, without the numbers of inodes. (The order
// of all events is a matter of who is how fast.)
nlohmann::json comparable(const scenario::Scenario& scenario, const Transcript& transcript);

// Where two transcripts of the same scenario, whole or comparable(), differ: JSON pointers into
// comparable(); "expected" is what the real kernel did, "got" what the model did. Disk and events
// are left out if one of them has not looked.
std::vector<Mismatch> compare(const Transcript& model, const Transcript& real);
std::vector<Mismatch> compare(const nlohmann::json& model, const nlohmann::json& real);

}  // namespace coldread::player
