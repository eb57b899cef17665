// Hostile plays: everybody takes part, and the same program is the same play, on a machine that is
// used again as on a new one.
#include "tests/fuzz/play.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/fuzz/target.h"

namespace coldread::fuzz {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes program_of(Stage stage, std::initializer_list<Instruction> instructions) {
  Bytes bytes = {static_cast<uint8_t>(stage), 0, 0, 0};
  for (const Instruction& instruction : instructions) {
    const auto flags = static_cast<unsigned>((instruction.at_once ? kAtOnce : 0) |
                                             (instruction.by_helper ? kByHelper : 0));
    bytes.push_back(static_cast<uint8_t>(static_cast<unsigned>(instruction.op) | flags));
    bytes.insert(bytes.end(), {instruction.a, instruction.b, instruction.c});
  }
  return bytes;
}

std::vector<Answer> answers_of(Play& play, const Bytes& bytes) {
  const sim::RunResult result = play.run(Program(bytes));
  if (result.transcript.report) ADD_FAILURE() << result.transcript.report->text;
  return {play.answers().begin(), play.answers().end()};
}

// Reader 0 meets a hole, the helper reads the message, the daemon serves the next.
Bytes cold_read() {
  return program_of(Stage::connected, {{Op::read, false, false, 0, 0, 0, {}},
                                       {Op::serve, false, true, 0, 0, 0, {}},
                                       {Op::poll, false, false, 0, 0, 0, {}}});
}

TEST(Play, EverybodyTakesPartInEveryRun) {
  Play play(profile(), Stage::connected);
  for (int i = 0; i < 3; i++) {
    std::set<std::pair<unsigned, Op>> who;
    for (const Answer& answer : answers_of(play, cold_read())) {
      who.emplace(answer.task, answer.op);
      EXPECT_GE(answer.ret, 0) << op_name(answer.op);
    }
    const std::set<std::pair<unsigned, Op>> expected = {
        {0, Op::poll}, {1, Op::read_message}, {1, Op::pwrite}, {1, Op::complete}, {2, Op::read}};
    EXPECT_EQ(who, expected) << "run " << i;
  }
}

TEST(Play, TheSameProgramIsTheSamePlay) {
  uint32_t state = 1;
  Play play(profile(), Stage::bound);
  for (int i = 0; i < (sim::kAddressSanitizer ? 5 : 50); i++) {
    Bytes bytes(kHeaderBytes + 30 * kInstructionBytes);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525 + 1) >> 24);
    bytes[0] = static_cast<uint8_t>(Stage::bound);
    const std::vector<Answer> first = answers_of(play, bytes);
    EXPECT_EQ(answers_of(play, bytes), first);
    Play fresh(profile(), Stage::bound);
    EXPECT_EQ(answers_of(fresh, bytes), first);
    EXPECT_FALSE(first.empty());
  }
}

TEST(Play, AnyBytesAreAProgram) {
  Play play(profile(), Stage::opened);
  for (const Bytes& bytes : {Bytes(), Bytes{0}, Bytes(kHeaderBytes), Bytes(kHeaderBytes + 3),
                             Bytes(kHeaderBytes + 5000, 0x0a)})
    answers_of(play, bytes);
}

// What only the canary has, each of its two bugs.
TEST(Play, TheCanaryIsFound) {
  const Profile canary = profile().with(Change::canary);
  Play play(canary, Stage::bound);
  const Bytes refused = program_of(Stage::bound, {{Op::read_message, false, false, 0, 0, 0, {}},
                                                  {Op::copen, false, false, 0, 13, 0, {}}});
  EXPECT_TRUE(play.run(Program(refused)).transcript.report.has_value());
  Play race(canary, Stage::connected);
  Bytes bytes = cold_read();
  bool found = false;
  for (int seed = 0; seed < 256 && !found; seed++) {
    bytes[1] = 128;
    bytes[3] = static_cast<uint8_t>(seed);
    found = race.run(Program(bytes)).transcript.report.has_value();
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace coldread::fuzz
