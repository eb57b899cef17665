#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <random>

#include "tests/fuzz/program.h"

namespace coldread::fuzz {
namespace {

constexpr size_t kLongestRun = 8;

// A number below another, the same everywhere.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  size_t below(size_t end) { return end == 0 ? 0 : random_() / 16 % end; }

 private:
  std::minstd_rand random_;
};

// A header and instructions, each as its bytes.
struct Parts {
  std::vector<uint8_t> header;
  std::vector<std::vector<uint8_t>> instructions;

  explicit Parts(std::span<const uint8_t> bytes) {
    const std::span<const uint8_t> head = bytes.first(std::min(bytes.size(), kHeaderBytes));
    header.assign(head.begin(), head.end());
    header.resize(kHeaderBytes);
    Program program(bytes);
    Instruction instruction;
    for (size_t from = program.at(); program.next(&instruction); from = program.at()) {
      const std::span<const uint8_t> part = bytes.subspan(from, program.at() - from);
      instructions.emplace_back(part.begin(), part.end());
    }
  }

  // As many as there is room for.
  std::vector<uint8_t> together(size_t most) const {
    std::vector<uint8_t> bytes = header;
    for (const std::vector<uint8_t>& instruction : instructions) {
      if (bytes.size() + instruction.size() > most) break;
      bytes.insert(bytes.end(), instruction.begin(), instruction.end());
    }
    bytes.resize(std::min(bytes.size(), most));
    return bytes;
  }
};

// Most arguments name what is there already, the newest first, or an entry of a short table.
uint8_t argument(Dice& dice) {
  constexpr size_t kEnds[] = {1, 1, 1, 1, 8, 8, 8, 256};
  return static_cast<uint8_t>(dice.below(kEnds[dice.below(std::size(kEnds))]));
}

// Of these the first names an entry of a long table.
bool has_many_kinds(Op op) {
  return op == Op::command || op == Op::disk || op == Op::fault;
}

uint8_t first_argument(Op op, Dice& dice) {
  return has_many_kinds(op) ? static_cast<uint8_t>(dice.below(256)) : argument(dice);
}

// Commands more often than each other call: there are as many of them as of all calls.
Op any_op(Dice& dice) {
  constexpr size_t kCommands = 5;
  const size_t op = dice.below(static_cast<size_t>(Op::count) + kCommands - 1);
  return op < static_cast<size_t>(Op::count) ? static_cast<Op>(op) : Op::command;
}

// A text is as long as it says, or what follows would be part of it.
void mind_length(std::vector<uint8_t>& instruction) {
  if (static_cast<Op>(instruction[0] & kOpMask) != Op::text) return;
  instruction.resize(kInstructionBytes + instruction[1] % kMaxTextBytes, ' ');
}

std::vector<uint8_t> any_instruction(Dice& dice) {
  const Op op = any_op(dice);
  const unsigned at_once = dice.below(4) == 0 ? kAtOnce : 0u;
  const unsigned by_helper = dice.below(8) == 0 ? kByHelper : 0u;
  std::vector<uint8_t> instruction = {
      static_cast<uint8_t>(static_cast<unsigned>(op) | at_once | by_helper),
      first_argument(op, dice), argument(dice), argument(dice)};
  mind_length(instruction);
  return instruction;
}

void change_header(Parts& parts, Dice& dice) {
  parts.header[dice.below(2) == 0 ? 0 : dice.below(kHeaderBytes)] =
      static_cast<uint8_t>(dice.below(256));
}

void change_instruction(Parts& parts, Dice& dice) {
  std::vector<uint8_t>& instruction = parts.instructions[dice.below(parts.instructions.size())];
  switch (const size_t at = dice.below(kInstructionBytes + 1)) {
    case 0:
      instruction[0] ^= kAtOnce;
      break;
    case kInstructionBytes:
      instruction[0] ^= kByHelper;
      break;
    case 1:
      instruction[1] = first_argument(static_cast<Op>(instruction[0] & kOpMask), dice);
      mind_length(instruction);
      break;
    default:
      instruction[at] = argument(dice);
  }
}

// Some neighbours once more, somewhere; or only there.
void copy(Parts& parts, Dice& dice, bool move) {
  auto& all = parts.instructions;
  const size_t from = dice.below(all.size());
  const size_t length = 1 + dice.below(std::min(kLongestRun, all.size() - from));
  const auto begin = all.begin() + static_cast<ptrdiff_t>(from);
  const auto end = begin + static_cast<ptrdiff_t>(length);
  const std::vector<std::vector<uint8_t>> run(begin, end);
  if (move) all.erase(begin, end);
  all.insert(all.begin() + static_cast<ptrdiff_t>(dice.below(all.size() + 1)), run.begin(),
             run.end());
}

void remove(Parts& parts, Dice& dice) {
  auto& all = parts.instructions;
  all.erase(all.begin() + static_cast<ptrdiff_t>(dice.below(all.size())));
}

}  // namespace

std::vector<uint8_t> mutated(std::span<const uint8_t> program, size_t most, uint32_t seed) {
  Dice dice(seed);
  Parts parts(program);
  auto& all = parts.instructions;
  enum { kInsert, kInsertToo, kHeader, kChange, kChangeToo, kCopy, kMove, kRemove, kKinds };
  const size_t kind = dice.below(all.empty() ? kHeader + 1 : kKinds);
  switch (kind) {
    case kInsert:
    case kInsertToo:
      all.insert(all.begin() + static_cast<ptrdiff_t>(dice.below(all.size() + 1)),
                 any_instruction(dice));
      break;
    case kHeader:
      change_header(parts, dice);
      break;
    case kChange:
    case kChangeToo:
      change_instruction(parts, dice);
      break;
    case kCopy:
    case kMove:
      copy(parts, dice, kind == kMove);
      break;
    default:
      remove(parts, dice);
  }
  return parts.together(most);
}

std::vector<uint8_t> crossed(std::span<const uint8_t> one, std::span<const uint8_t> other,
                             size_t most, uint32_t seed) {
  Dice dice(seed);
  Parts parts(one);
  const Parts tail(other);
  parts.instructions.resize(dice.below(parts.instructions.size() + 1));
  const size_t from = dice.below(tail.instructions.size() + 1);
  parts.instructions.insert(parts.instructions.end(),
                            tail.instructions.begin() + static_cast<ptrdiff_t>(from),
                            tail.instructions.end());
  return parts.together(most);
}

}  // namespace coldread::fuzz
