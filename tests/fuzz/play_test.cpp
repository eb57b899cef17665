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

// What a daemon writes is what it read in this play, not in one before.
TEST(Play, MemoryIsFreshInEveryPlay) {
  const Instruction write_a_byte = {Op::write, false, false, 0, 5, 0, {}};
  const Bytes bytes = program_of(
      Stage::classic, {write_a_byte, {Op::read_message, false, false, 0, 0, 0, {}}, write_a_byte});
  Play play(profile(), Stage::classic);
  const std::vector<Answer> first = answers_of(play, bytes);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_NE(first[0].ret, first[2].ret);
  EXPECT_EQ(answers_of(play, bytes), first);
}

TEST(Play, AnyBytesAreAProgram) {
  Play play(profile(), Stage::opened);
  for (const Bytes& bytes : {Bytes(), Bytes{0}, Bytes(kHeaderBytes), Bytes(kHeaderBytes + 3),
                             Bytes(kHeaderBytes + 5000, 0x0a)})
    answers_of(play, bytes);
}

// Descriptor 4 is closed, whose READ then fails; once that of another object failed too, which
// otherwise fails with the device: the same answers in the same order, but at another time.
TEST(Play, AnAnswerSaysWhenItCame) {
  const Profile with = mended(*find_profile("6.6"));
  const Bytes bytes = program_of(Stage::connected, {{Op::connect, false, false, 1, 1, 0, {}},
                                                    {Op::serve, false, false, 0, 0, 0, {}},
                                                    {Op::read, false, false, 0, 0, 0, {}},
                                                    {Op::read, false, false, 1, 1, 0, {}},
                                                    {Op::close, false, false, 1, 0, 0, {}}});
  Play play(with, Stage::connected);
  Play old_play(with.without(Change::narrow_flush_on_fd_release), Stage::connected);
  std::vector<Answer> answers = answers_of(play, bytes);
  const std::vector<Answer> old_answers = answers_of(old_play, bytes);
  EXPECT_NE(answers, old_answers);
  ASSERT_EQ(answers.back().op, Op::read);
  EXPECT_EQ(answers.back().turn, 6);
  answers.back().turn = 5;
  EXPECT_EQ(answers, old_answers);
}

// In the end, whenever it is said: before, the modules are in use.
TEST(Play, ModulesAreUnloadedWhenAllIsOver) {
  const Profile old = mended(*find_profile("6.10"));
  const Bytes bytes = program_of(Stage::connected, {{Op::unload, false, false, 0, 0, 0, {}},
                                                    {Op::read, false, false, 0, 0, 0, {}},
                                                    {Op::serve, false, false, 0, 0, 0, {}}});
  Play play(old, Stage::connected);
  const auto report = play.run(Program(bytes)).transcript.report;
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->kind, "use-after-free");
  Play fixed(old.with(Change::fscache_lru_timer_exit), Stage::connected);
  EXPECT_EQ(answers_of(fixed, bytes).size(), 4u);
}

TEST(KernelOptions, NameWhatWasChanged) {
  const Profile& plain = *find_profile("6.12.117");
  EXPECT_EQ(kernel_options(plain), " --kernel 6.12.117");
  EXPECT_EQ(kernel_options(plain.with(Change::canary).without(Change::poll_lock)),
            " --kernel 6.12.117 --with canary --without poll-lock");
  EXPECT_NE(kernel_options(mended(plain)).find(" --with withdraw-volume-once"), std::string::npos);
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
