#include "tests/fuzz/program.h"

#include <algorithm>
#include <array>

namespace coldread::fuzz {
namespace {

constexpr std::array<const char*, static_cast<size_t>(Op::count)> kOpNames = {
    "read_message",
    "serve",
    "poll",
    "copen",
    "complete",
    "pwrite",
    "write",
    "lseek",
    "close",
    "command",
    "text",
    "open_device",
    "dup",
    "ioctl",
    "misuse",
    "sleep",
    "disk",
    "inject",
    "fault",
    "kill",
    "signal",
    "proc",
    "connect",
    "disconnect",
    "acquire_volume",
    "relinquish_volume",
    "acquire_cookie",
    "relinquish_cookie",
    "use_cookie",
    "unuse_cookie",
    "read",
    "prepare_read",
    "cache_read",
    "cache_write",
    "prepare_write",
    "query_occupancy",
    "write_to_cache",
    "issue_write",
    "invalidate",
    "resize",
    "update_cookie",
    "page_release",
    "unload",
};

constexpr std::array<const char*, static_cast<size_t>(Stage::count)> kStageNames = {
    "opened", "bound", "connected", "warm", "classic",
};

}  // namespace

const char* op_name(Op op) {
  return kOpNames[static_cast<size_t>(op)];
}

const char* stage_name(Stage stage) {
  return kStageNames[static_cast<size_t>(stage)];
}

bool Program::next(Instruction* instruction) {
  if (at_ + kInstructionBytes > bytes_.size() || taken_ == kMaxInstructions) return false;
  const uint8_t first = bytes_[at_];
  instruction->op = static_cast<Op>((first & kOpMask) % static_cast<unsigned>(Op::count));
  instruction->at_once = (first & kAtOnce) != 0;
  instruction->by_helper = (first & kByHelper) != 0;
  instruction->a = bytes_[at_ + 1];
  instruction->b = bytes_[at_ + 2];
  instruction->c = bytes_[at_ + 3];
  at_ += kInstructionBytes;
  taken_++;
  instruction->bytes = {};
  if (instruction->op == Op::text) instruction->bytes = take(instruction->a % kMaxTextBytes);
  return true;
}

std::span<const uint8_t> Program::take(size_t length) {
  const std::span<const uint8_t> bytes = bytes_.subspan(std::min(at_, bytes_.size()));
  const std::span<const uint8_t> taken = bytes.first(std::min(length, bytes.size()));
  at_ += taken.size();
  return taken;
}

}  // namespace coldread::fuzz
